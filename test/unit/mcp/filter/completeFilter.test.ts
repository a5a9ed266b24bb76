import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { completeFilter, maxOptions } from '../../../../src/mcp/filter/completeFilter.ts';
import type { NameKey } from '../../../../src/mcp/filter/filter.ts';

const seen = (key: NameKey): string[] => (key === 'agent' ? ['claude-code', 'Claude Desktop', 'cursor'] : []);
const after = (text: string, caret = text.length): string[] => {
  const { from, to, options } = completeFilter(text, caret, seen);
  return options.map((option) => text.slice(0, from) + option + text.slice(to));
};

it('offers keys, the words of a key that has few, and names that were seen', () => {
  expect(after('ok t')).toEqual(['ok tool:', 'ok tunnel:', 'ok text:']);
  expect(after('-stat')).toEqual(['-status:']);
  expect(after('era:')).toEqual(['era:legacy', 'era:modern']);
  expect(after('era:legacy,m')).toEqual(['era:legacy,modern']);
  expect(after('-agent:cl x', 9)).toEqual(['-agent:claude-code x', '-agent:"Claude Desktop" x']);
  expect(after('agent:"Claude D')).toEqual(['agent:"Claude Desktop"']);
  expect(after('latency:')).toEqual([]);
});

it('offers for any text and place what fits into the text', () => {
  const typed = fc.array(fc.constantFrom('"', '\\', ',', ' ', 'is:', 'agent:', 'a', '-')).map((all) => all.join(''));
  fc.assert(
    fc.property(typed, fc.nat(40), (text, place) => {
      const caret = Math.min(place, text.length);
      const { from, to, options } = completeFilter(text, caret, seen);
      expect(from).toBeLessThanOrEqual(caret);
      expect(from).toBeGreaterThanOrEqual(0);
      expect(to).toBeGreaterThanOrEqual(caret);
      expect(to).toBeLessThanOrEqual(text.length);
      expect(options.length).toBeLessThanOrEqual(maxOptions);
    }),
  );
});
