// A JSON object with some members changed and all others exactly as they were written: numbers that no double holds,
// escapes and unknown fields survive. `JSON.parse` and back would change them without a word.
import { membersOf, skipSpace } from './jsonRanges.ts';

/** A new value as JSON text; `undefined` takes the member out. */
export type MemberChanges = { readonly [key: string]: string | undefined };

/**
 * `text` is an object that `JSON.parse` takes. New members come last. Of a key that stands twice the last value counts,
 * as it does for `JSON.parse`, and it alone is kept.
 */
export function withMembers(text: string, changes: MemberChanges): string {
  const members = memberTexts(text);
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) members.delete(key);
    else members.set(key, value);
  }
  return objectText(members);
}

/** The value of a member as it was written, or `undefined`; of a text that is no object, too. */
export function memberText(text: string, key: string): string | undefined {
  return memberTexts(text).get(key);
}

/** Every member's value as it was written; empty for a text that is no object. */
export function memberTexts(text: string): Map<string, string> {
  const from = skipSpace(text, 0);
  if (text[from] !== '{') return new Map();
  return new Map(membersOf(text, from).map(({ key, value }) => [key, text.slice(value.from, value.to)]));
}

export function objectText(members: ReadonlyMap<string, string>): string {
  return `{${[...members].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`;
}
