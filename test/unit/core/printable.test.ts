import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable } from '../../../src/core/printable.ts';

describe('words of strangers', () => {
  it('stay as they are when they are words', () => {
    expect(printable('Grüße, 世界 “x” 🙂')).toBe('Grüße, 世界 “x” 🙂');
  });

  it.each([
    ['an escape sequence', '\u001b[2Jgone', '?[2Jgone'],
    ['a second line', 'one\r\ntwo', 'one??two'],
    ['text that runs backwards', 'a\u202eb', 'a?b'],
    ['a line break of Unicode', 'a\u2028b', 'a?b'],
    ['an eight-bit control', 'a\u009bb', 'a?b'],
    ['half a character', 'a\ud800b', 'a?b'],
  ])('lose %s', (_name, text, expected) => {
    expect(printable(text)).toBe(expected);
  });

  it('are never longer than asked, nor on two lines', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 50 }), (text, max) => {
        const shown = printable(text, max);
        expect(shown.length).toBeLessThanOrEqual(max + 1);
        expect(shown).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
      }),
    );
  });
});
