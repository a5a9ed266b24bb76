import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodedViews, maxNesting } from '../../../src/traffic/textViews.ts';

describe('decodedViews', () => {
  it('undoes one level of escapes per view', () => {
    const nested = JSON.stringify(JSON.stringify('a\n"b'));
    expect(decodedViews(nested).map(({ text }) => text)).toEqual([nested, '""a\\n\\"b""', '""a\n"b""']);
  });

  it('undoes percent-encoding in each of them', () => {
    const texts = decodedViews('%41\\u0025%c3%a9').map(({ text }) => text);
    expect(texts).toEqual(['%41\\u0025%c3%a9', '%41%%c3%a9', 'A\\u0025é', 'A%é']);
  });

  it('stops at a depth', () => {
    let text = '\\';
    for (let level = 0; level < 8; level += 1) text = JSON.stringify(text);
    expect(decodedViews(text)).toHaveLength(1 + maxNesting);
  });

  it('maps every character to the part of the original that it came from', () => {
    const piece = fc.constantFrom('a', 'é', '\\n', '\\\\', '\\u0041', '\\"', '%41', '%c3%a9', '%', '\\', 'u0041');
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const source = pieces.join('');
        for (const view of decodedViews(source)) {
          let before = 0;
          for (let at = 0; at < view.text.length; at += 1) {
            const [start, end] = [view.sourceStart(at), view.sourceEnd(at + 1)];
            expect(start).toBeGreaterThanOrEqual(before);
            expect(end).toBeGreaterThan(start);
            const part = source.slice(start, end);
            // What stands there, decoded in its own right, is where the character came from.
            expect(decodedViews(part).some(({ text }) => text.includes(view.text[at]!))).toBe(true);
            before = start;
          }
        }
      }),
    );
  });
});
