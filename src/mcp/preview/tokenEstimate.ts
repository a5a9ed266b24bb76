// About how many tokens of a conversation a tool takes: its name, description and arguments as clients send them to a
// model. No tokenizer is shipped: the counts of vendors differ from each other more than this differs from one of them.
// Lists of real servers come out within a tenth of what o200k_base makes of them (`offers.test.ts` measures it).
import type { JsonValue } from '../../core/json.ts';
import type { Listed } from './offer.ts';

/** Clients send these three; titles, annotations and output schemas stay with them. */
export function toolTokens({ name, definition }: Listed): number {
  const { description = '', inputSchema = {} } = definition;
  return textTokens(JSON.stringify({ name, description, parameters: inputSchema } satisfies Record<string, JsonValue>));
}

const piece = /(\p{Script=Latin}+)|(\p{N}+)|([\p{L}\p{M}])|(\s+)|([^\p{L}\p{M}\p{N}\s]+)/gu;
/** A word takes the space before it along; one of up to this many letters is mostly one token. */
const wordLength = 10;
const digitsInToken = 3;
/** Marks of JSON come in runs that are one token: `":{"`. */
const marksInToken = 5;
/** Tokens of a letter in other alphabets, and of one that is a word or a syllable. */
const otherLetter = 0.35;
const syllable = 0.65;
const syllables = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

export function textTokens(text: string): number {
  let tokens = 0;
  for (const [, word, digits, letter, space, marks] of text.matchAll(piece)) {
    if (word !== undefined) tokens += Math.ceil(word.length / wordLength);
    else if (digits !== undefined) tokens += Math.ceil(digits.length / digitsInToken);
    else if (letter !== undefined) tokens += syllables.test(letter) ? syllable : otherLetter;
    else if (space !== undefined) tokens += space.length > 1 ? 1 : 0;
    else if (marks !== undefined) tokens += Math.ceil(marks.length / marksInToken);
  }
  return Math.ceil(tokens);
}
