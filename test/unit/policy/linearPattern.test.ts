import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LinearPattern, maxStates, maxTestedLength, Unjudgeable } from '../../../src/policy/linearPattern.ts';

/** Patterns made of what is understood, so that the built-in engine can say what they mean. */
const atom = fc.constantFrom(
  'a',
  'b',
  '.',
  '\\.',
  '[ab]',
  '[^a]',
  '\\d',
  '\\w',
  '[\\w-]',
  '\\u0061',
  '\\x61',
  '\\u{1f600}',
  '😀',
  '\\p{L}',
  '/',
  '\\/',
  '\\]',
  '[\\]a]',
);
const { pattern } = fc.letrec<{ pattern: string; sequence: string; part: string }>((tie) => ({
  pattern: fc.oneof(
    { depthSize: 'small' },
    tie('sequence'),
    fc.tuple(tie('sequence'), tie('pattern')).map((two) => two.join('|')),
  ),
  sequence: fc.array(tie('part'), { maxLength: 3 }).map((parts) => parts.join('')),
  part: fc.oneof(
    { depthSize: 'small' },
    fc
      .tuple(atom, fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,}', '{0,2}', '*?', '{0}'))
      .map((two) => two.join('')),
    fc.constantFrom('^', '$'),
    fc
      .tuple(fc.constantFrom('(', '(?:'), tie('pattern'), fc.constantFrom(')', ')*', ')+', ')?', '){1,2}'))
      .map((all) => all.join('')),
  ),
}));
const text = fc
  .array(fc.constantFrom('a', 'b', '1', '.', '-', '/', ']', '\n', 'é', '😀'), { maxLength: 8 })
  .map((chars) => chars.join(''));

describe('LinearPattern', () => {
  it('means what the built-in engine means', () => {
    fc.assert(
      fc.property(pattern, text, (source, tried) => {
        let mine: LinearPattern;
        try {
          mine = new LinearPattern(source);
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
          return;
        }
        expect(mine.test(tried)).toBe(new RegExp(source, 'u').test(tried));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['^/srv/(?:docs|img)/[\\w.-]+\\.(?:md|png)$', '/srv/docs/a-b.md', '/srv/docs/../x.md'],
    ['^[a-z]{2,3}$', 'ab', 'abcd'],
    ['^SELECT\\s', 'SELECT *', ' SELECT *'],
  ])('reads %s', (source, yes, no) => {
    expect([new LinearPattern(source).test(yes), new LinearPattern(source).test(no)]).toEqual([true, false]);
  });

  it.each([
    '(a)\\1',
    '(?=a)',
    '(?<!a)b',
    '(?<name>a)\\k<name>',
    '\\bword',
    `a{${maxStates + 1}}`,
    '(?:(?:a{50}){50}){50}',
    '(',
    '[z-a]',
    '\\q',
  ])('refuses %s', (source) => {
    expect(() => new LinearPattern(source)).toThrow(SyntaxError);
  });

  // Each of them keeps a backtracking engine busy for longer than anybody waits.
  it.each(['^(a+)+$', '^(a|a)*$', '^(a|aa)+$', '^(.*a){20}$', '^(\\w+\\s?)*$', '^(a*)*b'])(
    'tries %s in few steps',
    (source) => {
      let steps = 0;
      const mine = new LinearPattern(source, (more) => (steps += more));
      expect(mine.test(`${'a'.repeat(maxTestedLength - 1)}!`)).toBe(false);
      expect(steps).toBeLessThanOrEqual((maxTestedLength + 1) * (maxStates + 1));
    },
  );

  it('repeats nothing without counting how often', () => {
    // 256 to the power of 24: whoever counts is not done today.
    const nothing = Array.from({ length: 24 }).reduce<string>((inside) => `(?:${inside}){256}`, '');
    expect(new LinearPattern(`^${nothing}a$`).test('a')).toBe(true);
    expect(new LinearPattern(`^(?:${nothing}a){3}$`).test('aa')).toBe(false);
  });

  it('does not judge a text that is too long', () => {
    const mine = new LinearPattern('a');
    expect(mine.test('b'.repeat(maxTestedLength))).toBe(false);
    expect(() => mine.test('b'.repeat(maxTestedLength + 1))).toThrow(Unjudgeable);
  });
});
