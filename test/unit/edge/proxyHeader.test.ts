import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseProxyHeader } from '../../../src/edge/proxyHeader.ts';
import { proxyHeader } from '../../support/proxyHeader.ts';

const max = 4096;
const source = { host: '192.0.2.7', port: 40_000 };
const parse = (bytes: Uint8Array) => parseProxyHeader(bytes, max);

describe('a PROXY header', () => {
  it('says whose the connection is, over IPv4 and IPv6', () => {
    expect(parse(proxyHeader({ source }))).toEqual({ kind: 'header', length: 28, isCheck: false, source });
    const v6 = { host: '2001:db8::7', port: 1 };
    expect(parse(proxyHeader({ source: v6 }))).toEqual({ kind: 'header', length: 52, isCheck: false, source: v6 });
  });

  it('with an IPv4 address in IPv6 names that', () => {
    const bytes = proxyHeader({ source: { host: '::ffff:c000:207', port: 2 } });
    expect(parse(bytes)).toMatchObject({ source: { host: '192.0.2.7', port: 2 } });
  });

  it('may have more behind the addresses, which is skipped', () => {
    const tlv = Buffer.from([0x02, 0x00, 0x03, 0x61, 0x62, 0x63]);
    expect(parse(proxyHeader({ source, tlv }))).toMatchObject({ kind: 'header', length: 34, source });
  });

  it('of a health check, or of an unknown peer, names nobody', () => {
    expect(parse(proxyHeader({ source, local: true }))).toEqual({ kind: 'header', length: 28, isCheck: true });
    expect(parse(proxyHeader({ family: 0x00 }))).toEqual({ kind: 'header', length: 16, isCheck: false });
    expect(parse(proxyHeader({ family: 0x31, block: Buffer.alloc(216) }))).toMatchObject({
      isCheck: false,
      length: 232,
    });
  });

  it.each<[string, Uint8Array]>([
    ['of version 1', Buffer.from('PROXY TCP4 192.0.2.7 192.0.2.1 40000 443\r\n')],
    ['of version 3', patched(12, 0x31)],
    ['with an unknown command', patched(12, 0x22)],
    ['of UDP', patched(13, 0x12)],
    ['of an unknown family', patched(13, 0x41)],
    ['too short for its addresses', patched(15, 11)],
    ['of a Unix socket without a path', proxyHeader({ family: 0x31, block: Buffer.alloc(215) })],
    ['longer than any real one', patched(14, 0xff)],
    ['with a wrong signature', patched(3, 0x0b)],
  ])('is refused: %s', (_what, bytes) => {
    expect(parse(bytes)).toEqual({ kind: 'invalid' });
  });

  it('is the same however it is cut', () => {
    const port = fc.integer({ min: 0, max: 65_535 });
    const host = fc.oneof(fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(
        host,
        port,
        fc.uint8Array({ maxLength: 200 }),
        fc.uint8Array({ maxLength: 50 }),
        (from, at, tlv, more) => {
          const header = proxyHeader({ source: { host: from, port: at }, tlv });
          const whole = Buffer.concat([header, more]);
          for (let length = 0; length < header.length; length += 1) {
            expect(parse(whole.subarray(0, length))).toEqual({ kind: 'incomplete' });
          }
          const read = parse(whole);
          expect(read).toEqual(parse(header));
          expect(read).toMatchObject({ kind: 'header', length: header.length, source: { port: at } });
        },
      ),
      { numRuns: 200 },
    );
  });

  it('is found in no other bytes, and never reads beyond them', () => {
    const real = proxyHeader({ source });
    const mutated = fc
      .tuple(fc.nat(real.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(real.length))
      .map(([at, byte, end]) => {
        const bytes = Buffer.from(real);
        bytes[at] = byte;
        return bytes.subarray(0, end);
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated), (bytes) => {
        const read = parse(bytes);
        if (read.kind !== 'header') return;
        expect(bytes.subarray(0, 12)).toEqual(real.subarray(0, 12));
        expect(read.length).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 5000 },
    );
  });
});

function patched(at: number, byte: number): Uint8Array {
  const bytes = proxyHeader({ source });
  bytes[at] = byte;
  return bytes;
}
