import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { RowIndex } from '../../../src/traffic/rowIndex.ts';

it('holds after any history what a sorted list would hold', () => {
  const rows = [...Array(30).keys()].map((ordinal) => ({ ordinal }));
  const step = fc.record({ add: fc.boolean(), at: fc.nat(29) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const index = new RowIndex<{ ordinal: number }>();
      const wanted = new Set<number>();
      for (const { add, at } of steps) {
        if (add) index.add(rows[at]!);
        else expect(index.delete(rows[at]!)).toBe(wanted.has(at));
        if (add) wanted.add(at);
        else wanted.delete(at);
        const sorted = [...wanted].sort((a, b) => a - b);
        expect(Array.from({ length: index.length }, (_, place) => index.at(place)?.ordinal)).toEqual(sorted);
        expect(index.placeOf(rows[at]!)).toBe(sorted.indexOf(at));
        expect([index.at(-1), index.at(index.length)]).toEqual([undefined, undefined]);
      }
    }),
  );
});

it('takes in the newest and lets go of the oldest without end', () => {
  const index = new RowIndex<{ ordinal: number }>();
  const held: { ordinal: number }[] = [];
  for (let ordinal = 0; ordinal < 50_000; ordinal += 1) {
    held.push({ ordinal });
    index.add(held.at(-1)!);
    if (ordinal >= 100) expect(index.delete(held[ordinal - 100]!)).toBe(true);
  }
  expect([index.length, index.at(0)?.ordinal, index.at(99)?.ordinal]).toEqual([100, 49_900, 49_999]);
});
