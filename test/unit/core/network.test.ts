import { BlockList } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatNetwork, isInNetwork, parseAddress, parseNetwork } from '../../../src/core/network.ts';

const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6().filter((text) => parseAddress(text)?.kind() === 'ipv6');

describe('a network', () => {
  it.each([
    ['192.0.2.0/24', '192.0.2.0/24'],
    ['192.0.2.7', '192.0.2.7/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['::1', '::1/128'],
    ['::ffff:192.0.2.0/120', '192.0.2.0/24'],
    ['::ffff:192.0.2.7', '192.0.2.7/32'],
  ])('%s is read as %s', (text, network) => {
    expect(formatNetwork(parseNetwork(text))).toBe(network);
  });

  it.each([
    '',
    'anthropic',
    '192.0.2.0/33',
    '2001:db8::/129',
    '192.0.2.0/-1',
    '192.0.2.0/',
    '192.0.2/24',
    '192.0.2.0/24 ',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '2130706433',
    '127.1/8',
    'fe80::1%eth0/64',
    '192.0.2.0/24/8',
    '1.2.3.4.5',
    '::1::/64',
  ])('is not %j, and that is said', (text) => {
    expect(() => parseNetwork(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('with more than its prefix is refused, with what was meant', () => {
    expect(() => parseNetwork('160.79.105.9/21')).toThrow(/160\.79\.105\.9\/21.*write 160\.79\.104\.0\/21/);
    expect(() => parseNetwork('2001:db8::1/32')).toThrow(/write 2001:db8::\/32/);
  });

  it('holds the addresses that it holds for the system', () => {
    const given = fc.oneof(
      fc.tuple(ipv4, ipv4, fc.integer({ min: 0, max: 32 }), fc.constant('ipv4' as const)),
      fc.tuple(ipv6, ipv6, fc.integer({ min: 0, max: 128 }), fc.constant('ipv6' as const)),
    );
    fc.assert(
      fc.property(given, fc.boolean(), ([host, other, bits, family], isNear) => {
        const network = suggested(host, bits);
        const asked = isNear ? host : other;
        const list = new BlockList();
        list.addSubnet(host, bits, family);
        expect(isInNetwork(parseAddress(asked)!, network)).toBe(list.check(asked, family));
      }),
      { numRuns: 1000 },
    );
  });

  it('of one family holds no address of the other', () => {
    expect(isInNetwork(parseAddress('::1')!, parseNetwork('0.0.0.0/0'))).toBe(false);
    expect(isInNetwork(parseAddress('127.0.0.1')!, parseNetwork('::/0'))).toBe(false);
    expect(isInNetwork(parseAddress('::ffff:127.0.0.1')!, parseNetwork('127.0.0.0/8'))).toBe(true);
  });

  it('is read or refused whatever the text, and is the same when it is read again', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f.:/%]{0,50}$/)), (text) => {
        let network;
        try {
          network = parseNetwork(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'USAGE' });
          return;
        }
        const written = formatNetwork(network);
        expect(formatNetwork(parseNetwork(written))).toBe(written);
      }),
      { numRuns: 2000 },
    );
  });
});

/** The network that has this address in it, found as a person would: by what the refusal suggests. */
function suggested(host: string, bits: number): ReturnType<typeof parseNetwork> {
  try {
    return parseNetwork(`${host}/${bits}`);
  } catch (error) {
    return parseNetwork(/write (\S+)$/.exec((error as Error).message)?.[1] ?? '');
  }
}
