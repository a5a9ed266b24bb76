import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstMatch, matchesGlob } from '../../../src/policy/glob.ts';

describe('matchesGlob', () => {
  it.each([
    ['echo', 'echo', true],
    ['echo', 'Echo', false],
    ['echo', 'echo ', false],
    ['echo', 'echo\n', false],
    ['*', '', true],
    ['*', '.', true],
    ['*', 'a/b\nc', true],
    ['get_*', 'get_', true],
    ['get_*', 'get_x\n', true],
    ['*_get', 'x_get_', false],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'acb', false],
    ['./x', 'x', false],
    ['[a]', 'a', false],
    ['a?', 'ab', false],
    ['!a', 'b', false],
    ['{a,b}', 'a', false],
    ['é', 'e\u0301', false],
    ['K', '\u212A', false],
  ])('%j over %j is %s', (pattern, text, matches) => {
    expect(matchesGlob(pattern, text)).toBe(matches);
  });

  it('agrees with a regular expression that says the same', () => {
    const small = fc.stringMatching(/^[ab*.]{0,8}$/);
    fc.assert(
      fc.property(small, fc.stringMatching(/^[ab.\n]{0,10}$/), (pattern, text) => {
        const source = pattern.replaceAll('.', '\\.').replaceAll(/\*+/g, '[^]*');
        expect(matchesGlob(pattern, text)).toBe(new RegExp(`^${source}$`).test(text));
      }),
    );
  });

  it('answers for a long name and many stars without trying all ways', () => {
    expect(matchesGlob(`${'*a'.repeat(50)}*b`, 'a'.repeat(100_000))).toBe(false);
  });
});

describe('firstMatch', () => {
  it('gives the place of the first pattern that matches, or -1', () => {
    expect(firstMatch(['x', 'e*', '*'], 'echo')).toBe(1);
    expect(firstMatch(['x'], 'echo')).toBe(-1);
  });
});
