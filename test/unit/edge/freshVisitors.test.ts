import { describe, expect, it } from 'vitest';
import { FreshVisitors } from '../../../src/edge/freshVisitors.ts';
import { FakeClock } from '../../support/fakeClock.ts';

const taken = (bucket: FreshVisitors, tries: number): number =>
  Array.from({ length: tries }, () => bucket.take()).filter(Boolean).length;

describe('new visitors of a route', () => {
  it('may come in a burst, then only as fast as the rate', () => {
    const clock = new FakeClock();
    const bucket = new FreshVisitors({ clock, rate: () => ({ perSecond: 10, burst: 5 }) });
    expect(taken(bucket, 20)).toBe(5);
    clock.advance(100);
    expect(taken(bucket, 20)).toBe(1);
    clock.advance(250);
    expect(taken(bucket, 20)).toBe(2);
    clock.advance(50);
    expect(taken(bucket, 20)).toBe(1); // The half that was left counts.
  });

  it('have no more than the burst after any rest', () => {
    const clock = new FakeClock();
    const bucket = new FreshVisitors({ clock, rate: () => ({ perSecond: 10, burst: 5 }) });
    clock.advance(86_400_000);
    expect(taken(bucket, 20)).toBe(5);
  });

  it('gain nothing from a clock that was set back', () => {
    let now = 1_000_000;
    const bucket = new FreshVisitors({
      clock: { now: () => now, after: () => ({ cancel() {} }) },
      rate: () => ({ perSecond: 10, burst: 2 }),
    });
    expect(taken(bucket, 5)).toBe(2);
    now -= 500_000;
    expect(taken(bucket, 5)).toBe(0);
    now += 100;
    expect(taken(bucket, 5)).toBe(1);
  });
});
