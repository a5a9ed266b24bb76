import { describe, expect, it } from 'vitest';
import { AddressCaps, maxKnownAddresses } from '../../../src/edge/addressCaps.ts';
import { FakeClock } from '../../support/fakeClock.ts';

function world(maxConnectionsPerAddress: number, handshakeBurstPerAddress: number, handshakesPerSecondPerAddress = 1) {
  const clock = new FakeClock();
  const limits = { maxConnectionsPerAddress, handshakeBurstPerAddress, handshakesPerSecondPerAddress };
  return { clock, limits, caps: new AddressCaps({ limits, clock }) };
}

describe('one address', () => {
  it('has the rate that stands in the settings now, also where it was seen before', () => {
    const { caps, clock, limits } = world(100, 2);
    expect([1, 2, 3].map(() => caps.enter('192.0.2.7'))).toEqual(['entered', 'entered', 'too-fast']);
    Object.assign(limits, { handshakesPerSecondPerAddress: 50, handshakeBurstPerAddress: 50 });
    clock.advance(1000);
    expect(Array.from({ length: 50 }, () => caps.enter('192.0.2.7'))).not.toContain('too-fast');
  });

  it('may have so many connections at a time, and one more when one has left', () => {
    const { caps } = world(2, 100);
    expect([1, 2, 3].map(() => caps.enter('192.0.2.7'))).toEqual(['entered', 'entered', 'too-many']);
    expect(caps.enter('192.0.2.8')).toBe('entered');
    caps.leave('192.0.2.7');
    expect(caps.enter('::ffff:192.0.2.7')).toBe('entered');
  });

  it('may open so many a second, and what was turned away for another reason costs it nothing', () => {
    const { caps, clock } = world(1, 2);
    expect(caps.enter('2001:db8::1')).toBe('entered');
    for (let tries = 0; tries < 10; tries += 1) expect(caps.enter('2001:db8::2')).toBe('too-many'); // The same /64.
    caps.leave('2001:db8::1');
    expect(caps.enter('2001:db8::3')).toBe('entered');
    caps.leave('2001:db8::3');
    expect(caps.enter('2001:db8::3')).toBe('too-fast');
    clock.advance(1000);
    expect(caps.enter('2001:db8::3')).toBe('entered');
  });

  it('is forgotten with its rate once enough others came, but not its connections', () => {
    const { caps } = world(1, 1, 0);
    expect(caps.enter('192.0.2.7')).toBe('entered');
    for (let at = 0; at < maxKnownAddresses; at += 1) caps.enter(`10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`);
    expect(caps.enter('192.0.2.7')).toBe('too-many');
    caps.leave('192.0.2.7');
    expect(caps.enter('192.0.2.7')).toBe('entered'); // With a rate of its own again.
  });
});
