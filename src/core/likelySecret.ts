// Whether a value is most likely a secret: by what it is called, or because it looks like one whatever it is called.
// In doubt a text counts as one; what follows from that must be harmless.

const SECRET_NAME = /token|secret|passw|pwd|api_?-?key|credential|private|bearer|auth/i;

export function isLikelySecret(name: string, value: string): boolean {
  return SECRET_NAME.test(name) || looksRandom(value);
}

/** Long, of the characters that tokens are made of, and too mixed for a word, a path, a host or a version. */
export function looksRandom(value: string): boolean {
  if (!/^[\w+=~.-]{24,}$/.test(value) || !/\d/.test(value) || !/[a-z]/i.test(value)) return false;
  const isToken = /^eyJ[\w-]+\.[\w-]+\./.test(value) || !value.includes('.');
  return isToken && entropy(value) >= 3.5;
}

/** Bits for each character (Shannon), by how often each is there. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  return [...counts.values()].reduce((bits, count) => bits - (count / text.length) * Math.log2(count / text.length), 0);
}
