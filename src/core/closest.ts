// What somebody may have meant: the known word that a mistyped one is closest to.

/** Typing errors that are still taken for a word. */
const maxErrors = 2;

/** `undefined` where nothing is near. Case does not count. */
export function closest(word: string, known: readonly string[]): string | undefined {
  const wanted = word.slice(0, 64).toLowerCase();
  const [best] = known
    .map((candidate) => ({ candidate, errors: distance(wanted, candidate.toLowerCase()) }))
    .filter(({ candidate, errors }) => errors <= Math.min(maxErrors, candidate.length / 2))
    .sort((a, b) => a.errors - b.errors);
  return best?.candidate;
}

/** Levenshtein's: letters that are missing, too many or others. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [at, letter] of Array.from(from).entries()) {
    const next = [at + 1];
    for (let index = 1; index <= to.length; index += 1) {
      const other = row[index - 1]! + (letter === to[index - 1] ? 0 : 1);
      next.push(Math.min(other, row[index]! + 1, next[index - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
