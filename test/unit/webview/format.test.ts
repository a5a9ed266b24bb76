import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { byteSize, clockTime, fill, maxCellCharacters, milliseconds, oneLine } from '../../../src/webview/format.ts';

it('writes times, spans and sizes short', () => {
  expect(clockTime(new Date(2026, 0, 2, 3, 4, 5, 6).getTime())).toBe('03:04:05.006');
  expect([0.04, 9.94, 9.96, 12.4, 999.4, 999.6, 59_994, 125_000].map(milliseconds)).toEqual([
    '0.0 ms',
    '9.9 ms',
    '10 ms',
    '12 ms',
    '999 ms',
    '1.00 s',
    '59.99 s',
    '2 min 5 s',
  ]);
  expect([0, 812, 3_482, 1_258_291].map(byteSize)).toEqual(['0 B', '812 B', '3.4 KiB', '1.2 MiB']);
});

it('makes one harmless line of anything', () => {
  expect(oneLine('a\n\tb\u202Ec\u0000d')).toBe('a bc d');
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (text) => {
      const line = oneLine(text);
      expect(line.length).toBeLessThanOrEqual(maxCellCharacters + 1);
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
    }),
  );
});

it('puts values into their places, and leaves a place without a value', () => {
  expect(fill('{0} of {1} ({2})', 3, 'x')).toBe('3 of x ({2})');
  expect(fill('{0}', '{1}')).toBe('{1}');
});
