import { describe, expect, it } from 'vitest';
import { maxPrincipals, RateLimiter } from '../../../src/policy/limits.ts';
import { FakeClock } from '../../support/fakeClock.ts';

const limits = { requestsPerMinute: 60, maxConcurrent: 1_000, bytesPerMinute: 60_000 };

function world(): { clock: FakeClock; limiter: RateLimiter } {
  const clock = new FakeClock();
  return { clock, limiter: new RateLimiter({ clock }) };
}
function drain(limiter: RateLimiter, principal: string, calls: number): string[] {
  return Array.from({ length: calls }, () => limiter.acquire(principal, limits).kind);
}

describe('RateLimiter', () => {
  it('lets a minute’s worth through at once, then one each second', () => {
    const { clock, limiter } = world();
    expect(new Set(drain(limiter, 'a', 60))).toEqual(new Set(['granted']));
    expect(limiter.acquire('a', limits)).toEqual({ kind: 'limited', limit: 'requestsPerMinute', retryAfterMs: 1_000 });
    clock.advance(999);
    expect(limiter.acquire('a', limits).kind).toBe('limited');
    clock.advance(1);
    expect(drain(limiter, 'a', 2)).toEqual(['granted', 'limited']);
  });

  it('lets through whoever waits as long as he was told', () => {
    const { clock, limiter } = world();
    drain(limiter, 'a', 60);
    const slot = limiter.acquire('a', { ...limits, requestsPerMinute: 7 });
    if (slot.kind !== 'limited') throw new Error('it was granted');
    clock.advance(slot.retryAfterMs);
    expect(limiter.acquire('a', { ...limits, requestsPerMinute: 7 }).kind).toBe('granted');
  });

  it('counts principals apart', () => {
    const { limiter } = world();
    drain(limiter, 'a', 61);
    expect(limiter.acquire('b', limits).kind).toBe('granted');
  });

  it('bounds what runs at the same time; a release makes room once', () => {
    const { limiter } = world();
    const two = { ...limits, maxConcurrent: 2 };
    const [first, second] = [limiter.acquire('a', two), limiter.acquire('a', two)];
    expect(limiter.acquire('a', two)).toMatchObject({ kind: 'limited', limit: 'maxConcurrent' });
    if (first.kind !== 'granted' || second.kind !== 'granted') throw new Error('not granted');
    first.release();
    first.release();
    expect(limiter.acquire('a', two).kind).toBe('granted');
    expect(limiter.acquire('a', two).kind).toBe('limited');
  });

  it('a refusal costs nothing', () => {
    const { clock, limiter } = world();
    drain(limiter, 'a', 200);
    clock.advance(1_000);
    expect(limiter.acquire('a', limits).kind).toBe('granted');
  });

  it('a lowered limit holds at once', () => {
    const { limiter } = world();
    limiter.acquire('a', limits);
    const lower = { ...limits, requestsPerMinute: 1 };
    expect(limiter.acquire('a', lower).kind).toBe('granted');
    expect(limiter.acquire('a', lower).kind).toBe('limited');
  });

  it('a clock that is set back gives nothing and takes nothing', () => {
    const { clock, limiter } = world();
    drain(limiter, 'a', 60);
    clock.advance(-3_600_000);
    expect(limiter.acquire('a', limits).kind).toBe('limited');
    clock.advance(1_000);
    expect(limiter.acquire('a', limits).kind).toBe('granted');
  });

  it.each([-3_600_000, 3_600_000])('a clock that jumps by %i ms and back gives a minute’s worth at most', (jumpMs) => {
    const { clock, limiter } = world();
    drain(limiter, 'a', 60);
    limiter.spent('a', 120_000);
    for (let turn = 0; turn < 4; turn += 1) {
      clock.advance(turn % 2 === 0 ? jumpMs : -jumpMs);
      const granted = drain(limiter, 'a', 200).filter((kind) => kind === 'granted');
      expect(granted.length).toBeLessThanOrEqual(60);
    }
    // And nobody is locked out by it.
    clock.advance(120_000);
    expect(limiter.acquire('a', limits).kind).toBe('granted');
  });

  describe('bytes', () => {
    it('are let through until a minute’s worth is spent; what is larger is waited for', () => {
      const { clock, limiter } = world();
      limiter.acquire('a', limits);
      limiter.spent('a', 59_999);
      expect(limiter.acquire('a', limits).kind).toBe('granted');
      limiter.spent('a', 30_000);
      const limited = limiter.acquire('a', limits);
      expect(limited).toEqual({ kind: 'limited', limit: 'bytesPerMinute', retryAfterMs: 30_000 });
      clock.advance(29_999);
      expect(limiter.acquire('a', limits).kind).toBe('limited');
      clock.advance(1);
      expect(limiter.acquire('a', limits).kind).toBe('granted');
    });

    it('are counted apart for each principal, and for nobody who has never called', () => {
      const { limiter } = world();
      limiter.spent('b', 1_000_000);
      limiter.acquire('a', limits);
      limiter.spent('a', 1_000_000);
      expect(limiter.acquire('a', limits).kind).toBe('limited');
      expect(limiter.acquire('b', limits).kind).toBe('granted');
    });
  });

  it('counts what a batch holds beside its first message', () => {
    const { limiter } = world();
    limiter.acquire('a', limits);
    limiter.charge('a', 99);
    expect(limiter.acquire('a', limits)).toMatchObject({ limit: 'requestsPerMinute', retryAfterMs: 41_000 });
  });

  it('forgets whoever called longest ago, but nobody with something running', () => {
    const { limiter } = world();
    const one = { ...limits, requestsPerMinute: 1, maxConcurrent: 5 };
    limiter.acquire('running', one);
    const idle = limiter.acquire('idle', one);
    if (idle.kind === 'granted') idle.release();
    for (let index = 0; index < maxPrincipals; index += 1) {
      const slot = limiter.acquire(`p${index}`, one);
      if (slot.kind === 'granted') slot.release();
    }
    expect(limiter.acquire('running', one).kind).toBe('limited');
    expect(limiter.acquire('idle', one).kind).toBe('granted');
  });
});
