// Patterns in policy files and grants: `*` stands for any characters or none, everything else for itself, byte for byte.
// Our own instead of picomatch, which is made for paths: there `*` misses names with a line break or a dot (a deny rule
// that can be walked around), `./x` means `x`, and `*a*a*b` takes minutes on a long name that a stranger chose.

/** At most |pattern| × |text| steps, whatever the text is. */
export function matchesGlob(pattern: string, text: string): boolean {
  let at = 0;
  let place = 0;
  let star = -1;
  let retry = 0;
  while (at < text.length) {
    if (pattern[place] === '*') {
      star = place;
      retry = at;
      place += 1;
    } else if (place < pattern.length && pattern[place] === text[at]) {
      place += 1;
      at += 1;
    } else if (star >= 0) {
      // The last star takes one character more; earlier ones never need to.
      retry += 1;
      at = retry;
      place = star + 1;
    } else {
      return false;
    }
  }
  while (pattern[place] === '*') place += 1;
  return place === pattern.length;
}

/** The first pattern that matches, as its place in the list, or -1. */
export function firstMatch(patterns: readonly string[], text: string): number {
  return patterns.findIndex((pattern) => matchesGlob(pattern, text));
}
