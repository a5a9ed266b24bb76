import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  choices,
  maxFilterLength,
  maxTerms,
  nameKeys,
  units,
  type ChoiceKey,
  type Filter,
  type Range,
  type RangeKey,
  type Term,
} from '../../../../src/mcp/filter/filter.ts';
import { parseFilter } from '../../../../src/mcp/filter/parseFilter.ts';
import { printFilter } from '../../../../src/mcp/filter/printFilter.ts';

const terms = (text: string): Term[] => {
  const parsed = parseFilter(text);
  if (parsed.kind === 'problem') throw new Error(parsed.message);
  return parsed.terms;
};

describe('parseFilter', () => {
  it('reads keys, words, alternatives, negations and quotations', () => {
    expect(terms('tool:echo,"a b*" -agent:claude* status:Error "two words" -denied text:"say \\"hi\\""')).toEqual([
      {
        kind: 'name',
        negated: false,
        key: 'tool',
        patterns: [
          { text: 'echo', exact: false },
          { text: 'a b*', exact: true },
        ],
      },
      { kind: 'name', negated: true, key: 'agent', patterns: [{ text: 'claude*', exact: false }] },
      { kind: 'choice', negated: false, key: 'status', values: ['error'] },
      { kind: 'word', negated: false, text: 'two words' },
      { kind: 'word', negated: true, text: 'denied' },
      { kind: 'text', negated: false, texts: ['say "hi"'] },
    ]);
    expect(terms('  ')).toEqual([]);
  });

  it('reads numbers and ranges in the unit they are written in', () => {
    const ranges = (text: string): unknown => (terms(text)[0] as { ranges: unknown }).ranges;
    expect(ranges('latency:>1.5s')).toEqual([{ kind: 'than', sign: '>', value: 1_500 }]);
    expect(ranges('latency:<=20')).toEqual([{ kind: 'than', sign: '<=', value: 20 }]);
    expect(ranges('size:10KB..2MiB')).toEqual([{ kind: 'between', from: 10_000, to: 2_097_152 }]);
    expect(ranges('code:-32602,<-32000')).toEqual([
      { kind: 'is', value: -32_602 },
      { kind: 'than', sign: '<', value: -32_000 },
    ]);
    expect(ranges('http:4xx,503')).toEqual([
      { kind: 'between', from: 400, to: 499 },
      { kind: 'is', value: 503 },
    ]);
  });

  it('takes an address for a word, as it is', () => {
    expect(terms('file:///tmp/a')).toEqual([{ kind: 'word', negated: false, text: 'file:///tmp/a' }]);
  });

  it.each([
    ['tool:echo tol:add', 10, 'no key'],
    ['tool:', 5, 'nothing yet'],
    ['tool:a,', 7, 'nothing yet'],
    ['text:"open', 5, 'never closed'],
    ['status:ok,fine', 10, 'one of'],
    ['latency:>fast', 9, 'takes a number'],
    ['latency:1..2x', 11, 'takes a number'],
    ['size:1toString', 5, 'takes a number'],
    ['size:9999999999999MB', 5, 'too large'],
    ['a '.repeat(maxTerms + 1), maxTerms * 2, 'terms'],
    [`tool:${'a,'.repeat(maxTerms)}a`, 5 + maxTerms * 2, 'alternatives'],
    ['x'.repeat(maxFilterLength + 1), maxFilterLength, 'characters'],
  ])('says what is wrong with %j, and where', (text, at, message) => {
    const problem = parseFilter(text);
    expect(problem).toMatchObject({ kind: 'problem', at });
    expect(problem).toHaveProperty('message', expect.stringContaining(message));
  });

  it('reads any text, or says where it stops being a filter', () => {
    const pieces = fc.constantFrom(
      'tool:',
      '"',
      '\\',
      ',',
      '-',
      ' ',
      '*',
      '>',
      '..',
      'ms',
      '5',
      'latency:',
      'ok',
      'is:',
    );
    const typed = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces).map((some) => some.join('')),
    );
    fc.assert(
      fc.property(typed, (text) => {
        const parsed = parseFilter(text);
        if (parsed.kind === 'filter') {
          expect(parseFilter(printFilter(parsed))).toEqual(parsed);
          return;
        }
        expect(parsed.at).toBeGreaterThanOrEqual(0);
        expect(parsed.at).toBeLessThanOrEqual(text.length);
      }),
      { numRuns: 1_000 },
    );
  });
});

const negated = fc.boolean();
const anything = fc.string({ minLength: 1, maxLength: 12, unit: 'binary' });
const some = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { minLength: 1, maxLength: 3 });
const number = fc.integer({ min: -999_999, max: 999_999 }).map((thousandths) => thousandths / 1_000 + 0);
const range: fc.Arbitrary<Range> = fc.oneof(
  fc.record({
    kind: fc.constant('than' as const),
    sign: fc.constantFrom('>', '>=', '<', '<=' as const),
    value: number,
  }),
  fc.record({ kind: fc.constant('between' as const), from: number, to: number }),
  fc.record({ kind: fc.constant('is' as const), value: number }),
);
const bare = anything.filter((text) => /^[^\s,"]+$/.test(text));
const term: fc.Arbitrary<Term> = fc.oneof(
  fc.record({ negated, kind: fc.constant('word' as const), text: fc.string({ maxLength: 12, unit: 'binary' }) }),
  fc.record({ negated, kind: fc.constant('text' as const), texts: some(anything) }),
  fc.record({
    negated,
    kind: fc.constant('name' as const),
    key: fc.constantFrom(...nameKeys),
    patterns: some(
      fc.oneof(
        fc.record({ text: anything, exact: fc.constant(true) }),
        fc.record({ text: bare, exact: fc.constant(false) }),
      ),
    ),
  }),
  fc.constantFrom(...(Object.keys(choices) as ChoiceKey[])).chain((key) =>
    fc.record({
      negated,
      kind: fc.constant('choice' as const),
      key: fc.constant(key),
      values: some(fc.constantFrom(...choices[key])),
    }),
  ),
  fc.record({
    negated,
    kind: fc.constant('range' as const),
    key: fc.constantFrom(...(Object.keys(units) as RangeKey[])),
    ranges: some(range),
  }),
);

it('printFilter writes what parseFilter reads as the same filter', () => {
  fc.assert(
    fc.property(fc.array(term, { maxLength: 6 }), (all) => {
      const filter: Filter = { kind: 'filter', terms: all };
      const printed = printFilter(filter);
      fc.pre(printed.length <= maxFilterLength);
      expect(parseFilter(printed)).toEqual(filter);
    }),
    { numRuns: 1_000 },
  );
});
