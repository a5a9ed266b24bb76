// What could stand where the caret is: keys, the words of a key that has few, and names that were seen lately.
import { choices, filterKeys, isOneOf, nameKeys, type FilterKey, type NameKey } from './filter.ts';
import { printValue } from './printFilter.ts';

/** Options given at once; the first ones. */
export const maxOptions = 20;

/** Replace `from` to `to` of the text with one of `options`. */
export type FilterCompletion = { from: number; to: number; options: string[] };

/** `seen`: names of a key, those to be offered first in front. */
export function completeFilter(
  text: string,
  caret: number,
  seen: (key: NameKey) => readonly string[],
): FilterCompletion {
  const before = text.slice(0, caret);
  const term = lastPart(before, /\s/);
  const [, key, values] = /^-?([a-z]+):(.*)$/is.exec(term) ?? [];
  if (key === undefined || values === undefined || !isOneOf(filterKeys, key.toLowerCase() as FilterKey)) {
    const begun = term.replace(/^-/, '').toLowerCase();
    const options = filterKeys.filter((one) => one.startsWith(begun)).map((one) => `${one}:`);
    return { from: before.length - begun.length, to: wordEnd(text, caret), options: options.slice(0, maxOptions) };
  }
  const begun = lastPart(values, /,/);
  const wanted = begun.replace(/^"/, '').toLowerCase();
  const known = valuesOf(key.toLowerCase() as FilterKey, seen);
  const options = known.filter((one) => one.toLowerCase().includes(wanted)).map(printValue);
  return { from: before.length - begun.length, to: wordEnd(text, caret), options: options.slice(0, maxOptions) };
}

function valuesOf(key: FilterKey, seen: (key: NameKey) => readonly string[]): readonly string[] {
  if (isOneOf(nameKeys, key)) return seen(key);
  return key in choices ? choices[key as keyof typeof choices] : [];
}

/** What follows the last separator that is not quoted. */
function lastPart(text: string, separator: RegExp): string {
  let from = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]!;
    if (isQuoted && character === '\\') at += 1;
    else if (character === '"') isQuoted = !isQuoted;
    else if (!isQuoted && separator.test(character)) from = at + 1;
  }
  return text.slice(from);
}

function wordEnd(text: string, caret: number): number {
  const rest = /[\s,]/.exec(text.slice(caret));
  return rest ? caret + rest.index : text.length;
}
