import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventStore } from '../../../src/upstream/eventStore.ts';

const bytes = (length: number): Uint8Array => new Uint8Array(length);

describe('EventStore', () => {
  it('gives back what a stream sent after an event, and nothing of other streams', () => {
    const store = new EventStore(100, 1_000);
    const [first] = ['g', 'p1', 'g', 'p1', 'g'].map((stream) => store.append(stream, bytes(1)));
    const { stream, seq } = store.parse(first!.id)!;
    expect([...store.after(stream, seq)].map((event) => event.seq)).toEqual([3, 5]);
  });

  it('keeps to its bounds, forgets the oldest first, and never gives an id twice', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('g', 'p1', 'p2'), fc.nat(120))), (sent) => {
        const store = new EventStore(10, 300);
        const events = sent.map(([stream, length]) => store.append(stream, bytes(length)));
        expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
        const held = ['g', 'p1', 'p2'].flatMap((stream) => [...store.after(stream, 0)]).sort((a, b) => a.seq - b.seq);
        expect(held.length).toBeLessThanOrEqual(10);
        expect(held.reduce((sum, { data }) => sum + data.length, 0)).toBeLessThanOrEqual(300);
        expect(held).toEqual(events.slice(events.length - held.length));
        for (const stream of ['g', 'p1', 'p2'])
          expect(store.holds(stream)).toBe(held.some((event) => event.stream === stream));
      }),
    );
  });

  it('passes on an event larger than all it may keep, and keeps the others', () => {
    const store = new EventStore(10, 100);
    store.append('g', bytes(50));
    expect(store.append('g', bytes(101)).data).toHaveLength(101);
    expect([...store.after('g', 0)]).toHaveLength(1);
  });

  it.each(['', 'g', 'g-', '-1', 'g-2', 'g-01234567890123456', 'G-1', 'g-1 ', '__proto__-1', 'g-1\n'])(
    'does not take %j for an id of its own',
    (id) => {
      const store = new EventStore(10, 100);
      store.append('g', bytes(1));
      expect(store.parse(id)).toBeUndefined();
      expect(store.parse('g-1')).toEqual({ stream: 'g', seq: 1 });
    },
  );
});
