import { describe, expect, it } from 'vitest';
import { maxAddresses, Throttle } from '../../../src/identity/throttle.ts';
import { FakeClock } from '../../support/fakeClock.ts';

function world(perMinute = 20): {
  clock: FakeClock;
  throttle: Throttle;
  fail: (visitor: string, times: number) => string[];
} {
  const clock = new FakeClock();
  const throttle = new Throttle({ clock, perMinute });
  const fail = (visitor: string, times: number): string[] =>
    Array.from({ length: times }, () => throttle.failed(visitor).kind);
  return { clock, throttle, fail };
}

describe('Throttle', () => {
  it('answers twenty failures, then limits, then one more every three seconds', () => {
    const { clock, throttle, fail } = world();
    expect(fail('192.0.2.1', 20)).toEqual(Array.from({ length: 20 }, () => 'answer'));
    expect(throttle.failed('192.0.2.1')).toEqual({ kind: 'limited', retryAfterMs: 3_000 });
    clock.advance(2_999);
    expect(fail('192.0.2.1', 1)).toEqual(['limited']);
    clock.advance(1);
    expect(fail('192.0.2.1', 2)).toEqual(['answer', 'limited']);
  });

  it('counts addresses apart, ports together', () => {
    const { fail } = world(1);
    expect(fail('192.0.2.1:1000', 1)).toEqual(['answer']);
    expect(fail('192.0.2.1:1001', 1)).toEqual(['limited']);
    expect(fail('192.0.2.2:1000', 1)).toEqual(['answer']);
  });

  it.each([
    ['2001:db8:0:1::1', '2001:0db8:0000:0001:ffff:1:2:3'],
    ['[2001:db8:0:1::1]:443', '2001:db8:0:1:a:b:c:d'],
    ['2001:db8::1', '2001:db8:0:0:9::'],
    ['fe80::1%eth0', 'fe80::2%eth1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['[::FFFF:192.0.2.1]:80', '192.0.2.1:81'],
  ])('%s and %s are one subscriber', (one, other) => {
    const { fail } = world(1);
    expect(fail(one, 1)).toEqual(['answer']);
    expect(fail(other, 1)).toEqual(['limited']);
  });

  it('two /64 networks are two', () => {
    const { fail } = world(1);
    expect(fail('2001:db8:0:1::1', 1)).toEqual(['answer']);
    expect(fail('2001:db8:0:2::1', 1)).toEqual(['answer']);
  });

  it('takes any text for an address', () => {
    const { fail } = world(1);
    for (const odd of ['', ':', '::', '[', 'unix', '::::::', 'x'.repeat(10_000)])
      expect(fail(odd, 2)[1]).toBe('limited');
  });

  it('remembers a bounded number, and forgets whoever failed longest ago', () => {
    const { fail } = world(1);
    fail('192.0.2.1', 1);
    fail('192.0.2.2', 1);
    fail('192.0.2.1', 1);
    for (let index = 0; index < maxAddresses - 1; index += 1)
      fail(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`, 1);
    expect(fail('192.0.2.1', 1)).toEqual(['limited']);
    expect(fail('192.0.2.2', 1)).toEqual(['answer']);
  });

  it('a clock that is set back refills nothing', () => {
    const { clock, fail } = world(1);
    fail('192.0.2.1', 1);
    clock.advance(-3_600_000);
    expect(fail('192.0.2.1', 1)).toEqual(['limited']);
    clock.advance(60_000);
    expect(fail('192.0.2.1', 1)).toEqual(['answer']);
  });
});
