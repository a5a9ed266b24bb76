import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPublicAddress } from '../../../src/identity/publicAddress.ts';

describe('addresses that a stranger’s document is never fetched from', () => {
  it.each([
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '127.255.255.255',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.8',
    '192.0.2.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.7',
    '203.0.113.7',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b::8.8.8.8',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '3fff::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '2130706433',
    '0x7f.0.0.1',
    '127.1',
    '',
    'localhost',
  ])('%s', (address) => expect(isPublicAddress(address)).toBe(false));

  it('nothing inside the private networks gets through', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(fc.constantFrom(10, 127, 0, 224, 239, 255), octet, octet, octet, (first, ...rest) => {
        expect(isPublicAddress([first, ...rest].join('.'))).toBe(false);
        expect(isPublicAddress(`::ffff:${[first, ...rest].join('.')}`)).toBe(false);
      }),
    );
  });
});

describe('addresses that it may be fetched from', () => {
  it.each(['1.1.1.1', '8.8.8.8', '100.63.255.255', '172.15.0.1', '172.32.0.1', '160.79.104.10', '2606:4700::6810:1'])(
    '%s',
    (address) => expect(isPublicAddress(address)).toBe(true),
  );
});
