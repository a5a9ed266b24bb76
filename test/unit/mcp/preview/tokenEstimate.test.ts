// Against a real tokenizer on texts of several kinds; the lists of real servers are measured in `offers.test.ts`.
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { textTokens, toolTokens } from '../../../../src/mcp/preview/tokenEstimate.ts';
import { tool } from './definitions.ts';

it.each([
  ['English', 'Read the complete contents of a file from the file system as text, and return it with line numbers.'],
  ['JSON', JSON.stringify({ type: 'object', properties: { path: { type: 'string' } }, required: ['path'] })],
  ['Chinese', '这是一个用于查询天气的工具，返回指定城市的天气预报。'],
  ['Japanese', 'このツールは都市の天気を教えます。'],
  ['Arabic', 'ابحث عن الملفات في مجلد العمل'],
])('is near what a tokenizer counts in %s', (_what, text) => {
  const exact = encode(text).length;
  expect(textTokens(text) / exact).toBeGreaterThan(0.75);
  expect(textTokens(text) / exact).toBeLessThan(1.35);
});

it('counts what clients send to a model, and not what they keep', () => {
  const plain = toolTokens(tool());
  expect(toolTokens(tool({ title: 'x'.repeat(500), outputSchema: { type: 'object' } }))).toBe(plain);
  expect(toolTokens(tool({ description: 'Tells the weather of a city.' }))).toBeGreaterThan(plain);
});

it('grows with the text, whatever is in it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (left, right) => {
      expect(textTokens(`${left} ${right}`)).toBeGreaterThanOrEqual(Math.floor(textTokens(left) * 0.5));
      expect(textTokens(left)).toBeLessThanOrEqual(left.length + 1);
    }),
  );
});
