// Where things stand in a JSON text, so that a part can be taken out or sent on with every other byte untouched.
// All of it expects text that `JSON.parse` takes.

/** From the first character of a value to the one after its last. */
export type Range = { from: number; to: number };

/** The elements of the array that starts at `from`. */
export function elementsOf(text: string, from: number): Range[] {
  const elements: Range[] = [];
  let at = skipSpace(text, from + 1);
  while (text[at] !== ']') {
    const to = endOfValue(text, at);
    elements.push({ from: at, to });
    at = skipSpace(text, to);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return elements;
}

/** Where the values of `key` start in the object that starts at `from`; several where the key stands twice. */
export function valuesOf(text: string, from: number, key: string): number[] {
  const found: number[] = [];
  let at = skipSpace(text, from + 1);
  while (text[at] !== '}') {
    const keyEnd = endOfValue(text, at);
    const value = skipSpace(text, skipSpace(text, keyEnd) + 1);
    if (JSON.parse(text.slice(at, keyEnd)) === key) found.push(value);
    at = skipSpace(text, endOfValue(text, value));
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return found;
}

/** Every member of the object that starts at `from`, in order; a key that stands twice comes twice. */
export function membersOf(text: string, from: number): { key: string; value: Range }[] {
  const members: { key: string; value: Range }[] = [];
  let at = skipSpace(text, from + 1);
  while (text[at] !== '}') {
    const keyEnd = endOfValue(text, at);
    const value = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const to = endOfValue(text, value);
    members.push({ key: JSON.parse(text.slice(at, keyEnd)) as string, value: { from: value, to } });
    at = skipSpace(text, to);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return members;
}

export function skipSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    const unit = text.charCodeAt(at);
    if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return at;
    at += 1;
  }
}

/** One past the last character of the value that starts at `from`. */
export function endOfValue(text: string, from: number): number {
  const first = text[from];
  if (first === '"') return endOfString(text, from);
  if (first !== '{' && first !== '[') return endOfScalar(text, from);
  let depth = 0;
  for (let at = from; ; at += 1) {
    const char = text[at];
    if (char === '"') at = endOfString(text, at) - 1;
    else if (char === '{' || char === '[') depth += 1;
    else if ((char === '}' || char === ']') && (depth -= 1) === 0) return at + 1;
    else if (char === undefined) throw new RangeError('the text is not JSON');
  }
}

function endOfString(text: string, from: number): number {
  let quote = text.indexOf('"', from + 1);
  while (isEscaped(text, quote)) quote = text.indexOf('"', quote + 1);
  if (quote < 0) throw new RangeError('the text is not JSON');
  return quote + 1;
}

/** A quote behind an odd number of backslashes belongs to the string. */
function isEscaped(text: string, quote: number): boolean {
  let at = quote - 1;
  while (at >= 0 && text.charCodeAt(at) === 0x5c) at -= 1;
  return (quote - 1 - at) % 2 === 1;
}

function endOfScalar(text: string, from: number): number {
  let at = from;
  while (at < text.length && !/[\s,\]}]/.test(text[at]!)) at += 1;
  return at;
}
