// Text written by strangers (names, paths, stderr of servers) made safe for a terminal: what would move the cursor,
// change colours or turn the reading direction becomes visible instead of acting.

// C0 without tab and line feed, DEL, C1, and the characters that change the direction or break lines unseen.
// eslint-disable-next-line no-control-regex
const ACTING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Keeps line feeds and tabs. */
export function plainText(text: string): string {
  return text.replace(ACTING, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** One line: line feeds and tabs are shown, too. */
export function plainLine(text: string): string {
  return plainText(text).replaceAll('\n', '\\n').replaceAll('\t', ' ');
}

/** One JSON text whose strings cannot act on a terminal either; the value it stands for is the same. */
export function plainJson(value: unknown): string {
  return plainText(JSON.stringify(value));
}
