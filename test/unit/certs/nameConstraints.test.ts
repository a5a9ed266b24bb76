import * as fc from 'fast-check';
import { BlockList } from 'node:net';
import { describe, expect, it } from 'vitest';
import { encode } from '../../../src/certs/der.ts';
import { isPermitted, nameConstraints } from '../../../src/certs/nameConstraints.ts';
import { addressBytes, hostName } from '../../../src/certs/subjectAltName.ts';

const permitted = { dns: ['localhost'], ip: ['127.0.0.0/8', '::1/128'] };

describe('isPermitted', () => {
  it.each(['localhost', 'a.localhost', 'a.b.localhost', '*.localhost', '127.0.0.1', '127.255.0.9', '::1'])(
    'permits %s',
    (name) => expect(isPermitted(permitted, name)).toBe(true),
  );

  it.each(['notlocalhost', 'localhost.com', '*.com', '*', '128.0.0.1', '::2', '::ffff:10.0.0.1'])(
    'refuses %s',
    (name) => expect(isPermitted(permitted, name)).toBe(false),
  );

  it('permits no address where no range is named', () => {
    expect(isPermitted({ dns: ['localhost'], ip: [] }, '127.0.0.1')).toBe(false);
  });
});

describe('nameConstraints', () => {
  it('writes ranges as an address and a mask', () => {
    const der = encode(nameConstraints(permitted)).toString('hex');
    expect(der).toContain('87087f000000ff000000');
    expect(der).toContain(`8720${'00'.repeat(15)}01${'ff'.repeat(16)}`);
  });

  it.each(['127.0.0.0', '127.0.0.0/33', 'localhost/8', '::1/129', '127.0.0.0/', ''])(
    'refuses the range “%s”',
    (cidr) => {
      expect(() => nameConstraints({ dns: [], ip: [cidr] })).toThrow('is not a range of addresses');
    },
  );
});

describe('addressBytes', () => {
  it('agrees with the system on every IPv6 address, however it is written', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const bytes = addressBytes(address);
        const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
        const same = new BlockList();
        same.addAddress(address, 'ipv6');
        expect(bytes).toHaveLength(16);
        expect(same.check(groups.join(':'), 'ipv6')).toBe(true);
      }),
    );
  });

  it('writes the four bytes of an IPv4 address', () => {
    expect([...addressBytes('127.0.0.1')]).toEqual([127, 0, 0, 1]);
  });
});

describe('hostName', () => {
  it('tells addresses from names', () => {
    expect(hostName('::1')).toEqual({ kind: 'ip', address: '::1' });
    expect(hostName('*.edge.example.com')).toEqual({ kind: 'dns', name: '*.edge.example.com' });
  });

  it.each(['', 'a b', 'a..b', '.a', 'a.', '-a.com', 'ä.com', 'a\0.com', '*a.com', 'a.*.com', `${'a'.repeat(64)}.com`])(
    'refuses “%s”',
    (name) => expect(() => hostName(name)).toThrow('a certificate cannot be made for the name'),
  );

  it('refuses names longer than DNS allows', () => {
    expect(() => hostName('a.'.repeat(127) + 'com')).toThrow('a certificate cannot be made');
  });
});
