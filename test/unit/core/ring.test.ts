import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Ring } from '../../../src/core/ring.ts';

it('holds the newest entries and counts those that had to go', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.nat()), (capacity, items) => {
      const ring = new Ring<number>(capacity);
      const pushedOut = items.map((item) => ring.push(item)).filter((item) => item !== undefined);
      expect([...ring]).toEqual(items.slice(-capacity));
      expect(ring.size).toBe(Math.min(items.length, capacity));
      expect(ring.dropped).toBe(pushedOut.length);
      expect(pushedOut).toEqual(items.slice(0, items.length - ring.size));
    }),
  );
});

it('begins anew after clear, and forgets nothing of what it dropped', () => {
  const ring = new Ring<string>(2);
  for (const item of ['a', 'b', 'c']) ring.push(item);
  ring.clear();
  ring.push('d');
  expect([...ring]).toEqual(['d']);
  expect(ring.dropped).toBe(1);
});
