import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkScope, isInScope, maxScopeGlobs } from '../../../src/edge/labelScope.ts';

describe('isInScope', () => {
  it('lets any label in where no scope is named', () => {
    expect(isInScope(undefined, 'anything')).toBe(true);
    expect(isInScope([], 'anything')).toBe(false);
  });

  it.each([
    ['*', 'a', true],
    ['dev-*', 'dev-1', true],
    ['dev-*', 'dev-', true],
    ['dev-*', 'xdev-1', false],
    ['*-dev', 'a-dev', true],
    ['a*a', 'a', false],
    ['a*b*c', 'axxbxxc', true],
    ['a*b*c', 'acb', false],
    ['*ab*ab*', 'ab', false],
    ['demo', 'demo', true],
    ['demo', 'demo2', false],
  ])('%s on %s: %s', (glob, label, expected) => expect(isInScope([glob], label)).toBe(expected));

  it('agrees with the regular expression that the glob stands for', () => {
    const letters = (...more: string[]) => fc.string({ unit: fc.constantFrom('a', 'b', '-', ...more), maxLength: 8 });
    fc.assert(
      fc.property(letters('*'), letters(), (glob, label) => {
        expect(isInScope([glob], label)).toBe(new RegExp(`^${glob.replaceAll('*', '.*')}$`).test(label));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('checkScope', () => {
  it('refuses what could never match, and too many', () => {
    for (const glob of ['A', 'a.b', '', 'www', '-a', '[a]', 'a'.repeat(64)]) {
      expect(() => checkScope([glob])).toThrow('is not a label or a glob over one');
    }
    expect(() => checkScope([])).toThrow('at least one label');
    expect(() => checkScope(Array.from({ length: maxScopeGlobs + 1 }, () => 'a'))).toThrow('at most');
    checkScope(['*', 'dev-*', '*-x-*', 'demo']);
  });
});
