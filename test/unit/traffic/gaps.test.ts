import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Gaps, maxGaps } from '../../../src/traffic/gaps.ts';

it('joins calls that left one after the other, and keeps apart what stands between', () => {
  const gaps = new Gaps();
  gaps.add(1, 0, 3);
  gaps.add(2, 0, 3);
  gaps.add(4, 3, 5);
  expect(gaps.all).toEqual([
    { from: 1, to: 2, count: 2 },
    { from: 4, to: 4, count: 1 },
  ]);
  gaps.add(3, 0, 5); // What stood between is gone, too.
  expect(gaps.all).toEqual([{ from: 1, to: 4, count: 4 }]);
});

it('counts every call once, in rising gaps between those that are held, whoever goes first', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([...Array(40).keys()].map((n) => n + 1)), (order) => {
      const held = new Set([...Array(40).keys()].map((n) => n + 1));
      const gaps = new Gaps();
      for (const ordinal of order) {
        held.delete(ordinal);
        gaps.add(
          ordinal,
          Math.max(0, ...[...held].filter((n) => n < ordinal)),
          Math.min(...[...held].filter((n) => n > ordinal)),
        );
      }
      expect(gaps.count).toBe(order.length);
      let last = 0;
      for (const { from, to, count } of gaps.all) {
        expect(from).toBeGreaterThan(last);
        expect([...held].filter((n) => n >= from && n <= to)).toEqual([]);
        expect(count).toBe(to - from + 1);
        if (last > 0) expect([...held].some((n) => n > last && n < from)).toBe(true);
        last = to;
      }
    }),
  );
});

it('keeps no more gaps than it may, and loses no call', () => {
  const gaps = new Gaps();
  for (let n = 1; n <= 3 * maxGaps; n += 1) gaps.add(n * 2, n * 2 - 1, n * 2 + 1);
  expect(gaps.all).toHaveLength(maxGaps);
  expect(gaps.count).toBe(3 * maxGaps);
});
