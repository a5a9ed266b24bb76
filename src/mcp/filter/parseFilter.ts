// Reads what a person typed into the filter. It never throws: while somebody types, most texts are unfinished, and the
// page says what is missing, and where.
import {
  choices,
  filterKeys,
  isOneOf,
  maxFilterLength,
  maxNumber,
  maxTerms,
  nameKeys,
  units,
  type ChoiceKey,
  type Filter,
  type FilterKey,
  type FilterProblem,
  type Pattern,
  type Range,
  type RangeKey,
  type Term,
} from './filter.ts';

type Value = Pattern & { at: number };

/** Thrown and caught in this file alone. */
class Problem extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

export function parseFilter(text: string): Filter | FilterProblem {
  try {
    if (text.length > maxFilterLength) {
      throw new Problem(maxFilterLength, `a filter has at most ${maxFilterLength} characters`);
    }
    return { kind: 'filter', terms: new Reader(text).terms() };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { kind: 'problem', at: error.at, message: error.message };
  }
}

/** What stands before the colon of a term with a key. `file://…` is a word: addresses are searched for as they are. */
export const keyPattern = /([a-z]+):(?!\/\/)/iy;

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  terms(): Term[] {
    const terms: Term[] = [];
    for (this.#skip(/\s*/y); this.#at < this.#text.length; this.#skip(/\s*/y)) {
      if (terms.length === maxTerms) throw new Problem(this.#at, `a filter has at most ${maxTerms} terms`);
      terms.push(this.#term());
    }
    return terms;
  }

  #term(): Term {
    const negated = this.#skip(/-(?=\S)/y) !== '';
    const at = this.#at;
    const key = this.#skip(keyPattern).slice(0, -1).toLowerCase();
    if (key === '') return { negated, kind: 'word', text: this.#quoted() ?? this.#skip(/\S+/y) };
    if (!isOneOf(filterKeys, key)) {
      throw new Problem(at, `“${key}” is no key; there are ${filterKeys.join(', ')}. Quoted, it is a word`);
    }
    return { negated, ...valued(key, this.#values(key)) };
  }

  #values(key: FilterKey): Value[] {
    const values: Value[] = [];
    do {
      if (values.length === maxTerms) throw new Problem(this.#at, `a term has at most ${maxTerms} alternatives`);
      const at = this.#at;
      const quoted = this.#quoted();
      const text = quoted ?? this.#skip(/[^\s,"]+/y);
      if (text === '') throw new Problem(at, `${key}: says nothing yet`);
      values.push({ at, text, exact: quoted !== undefined });
    } while (this.#skip(/,/y) !== '');
    return values;
  }

  /** `"…"`, in which `\"` and `\\` stand for themselves; `undefined` where no quotation mark stands. */
  #quoted(): string | undefined {
    if (this.#text[this.#at] !== '"') return undefined;
    const whole = this.#skip(/"(?:[^"\\]|\\[^])*"/y);
    if (whole === '') throw new Problem(this.#at, 'this quotation mark is never closed');
    return whole.slice(1, -1).replace(/\\(["\\])/g, '$1');
  }

  /** Passes over what `pattern` (sticky) finds here, and returns it. */
  #skip(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }
}

type Valued<T> = T extends { kind: 'word' } ? never : Omit<T, 'negated'>;

function valued(key: FilterKey, values: Value[]): Valued<Term> {
  if (key === 'text') return { kind: 'text', texts: values.map(({ text }) => text) };
  if (isOneOf(nameKeys, key)) {
    return { kind: 'name', key, patterns: values.map(({ text, exact }) => ({ text, exact })) };
  }
  if (isChoice(key)) return { kind: 'choice', key, values: values.map((value) => choice(key, value)) };
  return { kind: 'range', key, ranges: values.map((value) => range(key, value)) };
}

function isChoice(key: ChoiceKey | RangeKey): key is ChoiceKey {
  return key in choices;
}

function choice(key: ChoiceKey, { at, text }: Value): string {
  const value = text.toLowerCase();
  const known: readonly string[] = choices[key];
  if (!known.includes(value)) throw new Problem(at, `${key}: is one of ${known.join(', ')}`);
  return value;
}

function range(key: RangeKey, { at, text }: Value): Range {
  const hundreds = key === 'http' ? /^([1-5])xx$/i.exec(text)?.[1] : undefined;
  if (hundreds !== undefined) return { kind: 'between', from: Number(hundreds) * 100, to: Number(hundreds) * 100 + 99 };
  const than = /^(>=|<=|>|<)(.*)$/s.exec(text);
  if (than) {
    const [, sign, number] = than;
    return { kind: 'than', sign: sign as '>', value: numberOf(key, number!, at + sign!.length) };
  }
  const middle = text.indexOf('..');
  if (middle < 0) return { kind: 'is', value: numberOf(key, text, at) };
  const from = numberOf(key, text.slice(0, middle), at);
  return { kind: 'between', from, to: numberOf(key, text.slice(middle + 2), at + middle + 2) };
}

function numberOf(key: RangeKey, text: string, at: number): number {
  const known: Record<string, number> = units[key];
  const names = Object.keys(known);
  const [, digits, name] = /^(-?\d{1,13}(?:\.\d{1,3})?)([a-z]*)$/i.exec(text) ?? [];
  const factor = name === '' ? 1 : known[(name ?? '-').toLowerCase()];
  if (digits === undefined || factor === undefined) {
    const example = names.length > 0 ? `, with ${names.join(', ')} or nothing behind it` : '';
    throw new Problem(
      at,
      `${key}: takes a number, >, >=, <, <= and a number, or two numbers with .. between${example}`,
    );
  }
  // To thousandths, so that it is the same number when it is written down and read again; and no -0.
  const value = Math.round(Number(digits) * factor * 1_000) / 1_000 + 0;
  if (Math.abs(value) > maxNumber) throw new Problem(at, `${key}: this number is too large`);
  return value;
}
