import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { roomFor, type Holder } from '../../../src/upstream/sessionRoom.ts';

const limits = { maxSessions: 6, maxSessionsPerPrincipal: 4 };
const holder = (principal: string, idleSinceMs?: number): Holder => ({ principal, idleSinceMs });

describe('roomFor', () => {
  it('is free below both bounds', () => {
    expect(roomFor('a', [holder('a', 1), holder('b')], limits)).toEqual({ kind: 'free' });
  });

  it('takes the principal’s own longest idle one first, also while others have older ones', () => {
    const own = holder('a', 50);
    const all = [holder('b', 1), holder('a', 60), own, holder('a'), holder('a')];
    expect(roomFor('a', all, limits)).toEqual({ kind: 'taken', from: own });
  });

  it('takes from whoever has most when all is full, and never from one that has less', () => {
    const oldest = holder('b', 5);
    const full = [holder('a'), holder('b', 9), oldest, holder('b'), holder('c', 1), holder('c', 2)];
    expect(roomFor('a', full, limits)).toEqual({ kind: 'taken', from: oldest });
    const even = ['a', 'b', 'c'].flatMap((name) => [holder(name), holder(name, 1)]);
    const mine = even.map((each) => (each.principal === 'a' ? holder('a') : each));
    expect(roomFor('a', mine, limits)).toEqual({ kind: 'none' });
  });

  it('never ends what is in use, and never makes one principal smaller than the one that asks', () => {
    const holders = fc.array(
      fc.record({
        principal: fc.constantFrom('a', 'b', 'c', 'd'),
        idleSinceMs: fc.option(fc.nat(9), { nil: undefined }),
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(holders, fc.constantFrom('a', 'b', 'c', 'd'), (held, asking) => {
        const room = roomFor(asking, held, limits);
        if (room.kind !== 'taken') return;
        expect(room.from.idleSinceMs).toBeDefined();
        const count = (name: string): number => held.filter(({ principal }) => principal === name).length;
        if (room.from.principal !== asking) expect(count(room.from.principal)).toBeGreaterThan(count(asking));
      }),
    );
  });
});
