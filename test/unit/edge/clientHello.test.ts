import * as fc from 'fast-check';
import { Duplex } from 'node:stream';
import { connect, type ConnectionOptions } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { maxClientHelloBytes, parseClientHello } from '../../../src/edge/clientHello.ts';

/** What Node's TLS client sends first. */
function realHello(options: ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(chunk);
        done();
      },
    });
    connect({ socket: wire, ...options }).on('error', () => {});
  });
}

const u8 = (value: number): Buffer => Buffer.from([value]);
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const block8 = (bytes: Buffer): Buffer => Buffer.concat([u8(bytes.length), bytes]);
const block16 = (bytes: Buffer): Buffer => Buffer.concat([u16(bytes.length), bytes]);

const extension = (type: number, content: Buffer): Buffer => Buffer.concat([u16(type), block16(content)]);
const sni = (name: string | Buffer, type = 0): Buffer =>
  extension(0, block16(Buffer.concat([u8(type), block16(Buffer.from(name))])));
const alpn = (...names: string[]): Buffer =>
  extension(16, block16(Buffer.concat(names.map((name) => block8(Buffer.from(name))))));

function message(extensions: Buffer[] | undefined, { session = 32, suites = 2 } = {}): Buffer {
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 7),
    block8(Buffer.alloc(session)),
    block16(Buffer.alloc(suites)),
    block8(Buffer.alloc(1)),
    ...(extensions ? [block16(Buffer.concat(extensions))] : []),
  ]);
  return Buffer.concat([u8(1), u8(0), u16(body.length), body]);
}

/** Cut into records after the given numbers of bytes. */
function records(bytes: Buffer, cuts: readonly number[] = []): Buffer {
  const at = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  const parts = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
  return Buffer.concat(
    parts.filter((part) => part.length > 0).flatMap((part) => [Buffer.from([22, 3, 1]), block16(part)]),
  );
}

describe('a real ClientHello', () => {
  it.each<[string, ConnectionOptions, object]>([
    [
      'with a name and protocols',
      { servername: 'a.example', ALPNProtocols: ['h2', 'http/1.1'] },
      { serverName: 'a.example', alpn: ['h2', 'http/1.1'] },
    ],
    ['of TLS 1.2', { servername: 'a.example', maxVersion: 'TLSv1.2' }, { serverName: 'a.example', alpn: [] }],
    ['without a name', { ALPNProtocols: ['mcp-tunnel/1'] }, { alpn: ['mcp-tunnel/1'] }],
    [
      'with letters of both cases',
      { servername: 'Every-X7K2.Edge.Example' },
      { serverName: 'every-x7k2.edge.example', alpn: [] },
    ],
  ])('is read: %s', async (_name, options, expected) => {
    expect(parseClientHello(await realHello(options))).toEqual({ kind: 'hello', ...expected });
  });

  it('is incomplete at every length but its own, and never anything else', async () => {
    const bytes = await realHello({ servername: 'a.example', ALPNProtocols: ['h2'] });
    for (let length = 0; length < bytes.length; length += 1) {
      expect(parseClientHello(bytes.subarray(0, length))).toEqual({ kind: 'incomplete' });
    }
    expect(parseClientHello(bytes)).toMatchObject({ kind: 'hello' });
  });
});

describe('a ClientHello cut into records', () => {
  const whole = message([extension(10, u16(0)), sni('cut.example'), alpn('h2')]);
  const expected = { kind: 'hello', serverName: 'cut.example', alpn: ['h2'] };

  it('is read wherever it is cut', () => {
    const cut = fc.array(fc.integer({ min: 1, max: whole.length - 1 }), { maxLength: 40 });
    fc.assert(
      fc.property(cut, (cuts) => {
        expect(parseClientHello(records(whole, cuts))).toEqual(expected);
      }),
    );
  });

  it('is incomplete until its last byte, however it comes', () => {
    const cut = fc.array(fc.integer({ min: 1, max: whole.length - 1 }), { maxLength: 10 });
    fc.assert(
      fc.property(cut, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (cuts, part) => {
        const bytes = records(whole, cuts);
        const early = parseClientHello(bytes.subarray(0, Math.floor(bytes.length * part)));
        expect(early).toEqual({ kind: 'incomplete' });
      }),
    );
  });

  it('is read when every record has one byte', () => {
    const cuts = Array.from({ length: whole.length }, (_, index) => index);
    expect(parseClientHello(records(whole, cuts))).toEqual(expected);
  });
});

describe('bytes of strangers', () => {
  it('never throw, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        expect(['hello', 'incomplete', 'invalid']).toContain(parseClientHello(bytes).kind);
      }),
    );
  });

  it('never throw as the body of a hello, and give out nothing but names', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.uint8Array({ maxLength: 40 }))), (raw) => {
        const extensions = raw.map(([type, content]) => extension(type, Buffer.from(content)));
        const hello = parseClientHello(records(message(extensions)));
        if (hello.kind === 'hello') expect(hello.serverName ?? 'x').toMatch(/^[a-z0-9._-]+$/);
      }),
      { numRuns: 500 },
    );
  });

  it('with one byte changed are read, refused or waited for', () => {
    const good = records(message([sni('good.example'), alpn('h2')]));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: good.length - 1 }), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const bytes = Buffer.from(good);
        bytes[at] = value;
        const hello = parseClientHello(bytes);
        if (hello.kind === 'hello') expect(hello.serverName ?? 'x').toMatch(/^[a-z0-9._-]+$/);
      }),
      { numRuns: 2000 },
    );
  });

  it.each<[string, Buffer]>([
    ['plain HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
    ['another record type', Buffer.from([21, 3, 3, 0, 2, 2, 40])],
    ['another version of the record layer', Buffer.from([22, 2])],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0])],
    ['another message', records(Buffer.concat([u8(2), message([]).subarray(1)]))],
    ['a message over the limit', records(Buffer.from([1, 0xff, 0xff, 0xff, 0]))],
    ['a record over the limit', Buffer.from([22, 3, 1, 0x40, 0])],
    [
      'two names',
      records(message([extension(0, block16(Buffer.concat([sni('a.b').subarray(6), sni('c.d').subarray(6)])))])),
    ],
    ['a name of another type', records(message([sni('a.example', 1)]))],
    ['an empty name', records(message([sni('')]))],
    ['a name with a control character', records(message([sni('a\n.example')]))],
    ['a name with a NUL', records(message([sni('a.example\0.evil')]))],
    ['a name that is not ASCII', records(message([sni(Buffer.from('ä.example'))]))],
    ['a name with an empty label', records(message([sni('a..example')]))],
    ['a name with a dot at its end', records(message([sni('a.example.')]))],
    ['a name that is too long', records(message([sni(`${'a.'.repeat(130)}b`)]))],
    ['an extension twice', records(message([sni('a.example'), sni('b.example')]))],
    ['an empty list of protocols', records(message([alpn()]))],
    ['an empty protocol', records(message([alpn('')]))],
    ['a session id that is too long', records(message([], { session: 33 }))],
    ['no cipher suites', records(message([], { suites: 0 }))],
    ['half a cipher suite', records(message([], { suites: 3 }))],
    ['bytes after the extensions', records(grown(message([sni('a.example')])))],
  ])('are refused: %s', (_name, bytes) => {
    expect(parseClientHello(bytes)).toEqual({ kind: 'invalid' });
  });

  it('without extensions are a hello to nobody', () => {
    expect(parseClientHello(records(message(undefined)))).toEqual({ kind: 'hello', alpn: [] });
  });

  it('are never waited for beyond the limit', () => {
    const endless = Buffer.concat(Array.from({ length: 4000 }, () => Buffer.from([22, 3, 1, 0, 1, 1])));
    expect(parseClientHello(endless.subarray(0, maxClientHelloBytes + 5)).kind).toBe('invalid');
    const large = message([extension(99, Buffer.alloc(maxClientHelloBytes - 200)), sni('large.example')]);
    expect(parseClientHello(records(large, [8000]))).toMatchObject({ serverName: 'large.example' });
  });
});

/** One byte more than its fields say, with the message's own length right. */
function grown(bytes: Buffer): Buffer {
  const longer = Buffer.concat([bytes, u8(0)]);
  longer.writeUInt16BE(longer.length - 4, 2);
  return longer;
}
