import { describe, expect, it } from 'vitest';
import { mayFollow } from '../../../src/tunnel/addressScope.ts';

describe('mayFollow', () => {
  it.each(['127.0.0.1', '::1', '10.0.0.5', '192.168.1.1', '172.16.0.1', '169.254.169.254', 'fe80::1', 'fd00::1'])(
    'never sends this machine to %s for an edge on the Internet',
    (address) => {
      expect(mayFollow(address, '203.0.113.1')).toBe(false);
      expect(mayFollow(address, '8.8.8.8')).toBe(false);
      expect(mayFollow(address, undefined)).toBe(false);
      expect(mayFollow(`::ffff:${address}`, '8.8.8.8')).toBe(false);
    },
  );

  it.each(['0.0.0.0', '255.255.255.255', '224.0.0.1', '::', 'ff02::1', '::ffff:169.254.169.254', 'name', ''])(
    'never sends it to %s at all',
    (address) => {
      expect(mayFollow(address, '8.8.8.8')).toBe(false);
    },
  );

  it('follows an edge to public addresses, and to those as near as its own', () => {
    expect(mayFollow('8.8.4.4', '8.8.8.8')).toBe(true);
    expect(mayFollow('2606:4700::1', undefined)).toBe(true);
    expect(mayFollow('10.0.0.5', '192.168.0.9')).toBe(true);
    expect(mayFollow('127.0.0.1', '127.0.0.1')).toBe(true);
    expect(mayFollow('127.0.0.1', '10.0.0.5')).toBe(false);
    expect(mayFollow('169.254.169.254', '10.0.0.5')).toBe(false);
  });
});
