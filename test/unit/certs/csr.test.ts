import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCsr, maxCsrLength, readCsr } from '../../../src/certs/csr.ts';
import { pem } from '../../../src/certs/der.ts';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { TunnelError } from '../../../src/core/errors.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

const key = await makeKeyPair();
const good = createCsr(key, 'MCP Tunnel connector');
const der = Buffer.from(good.replace(/-----[^-]+-----|\s/g, ''), 'base64');
const asPem = (bytes: Buffer): string => pem('CERTIFICATE REQUEST', bytes);

/** The reader's whole promise: a P-256 key, or `CERTIFICATE_INVALID`. */
function outcome(text: string): 'read' | 'refused' {
  try {
    readCsr(text);
    return 'read';
  } catch (error) {
    if (error instanceof TunnelError && error.code === 'CERTIFICATE_INVALID') return 'refused';
    throw error;
  }
}

function openssl(args: string[], input: string): string | undefined {
  try {
    return execFileSync('openssl', args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined;
    throw error;
  }
}
async function requestByOpenssl(
  privateKey: KeyObject | string,
  more: readonly string[] = ['-subj', '/CN=x'],
): Promise<string> {
  const file = join(await temporaryFolder(), 'key.pem');
  const text = typeof privateKey === 'string' ? privateKey : privateKey.export({ type: 'pkcs8', format: 'pem' });
  await writeFile(file, text);
  return openssl(['req', '-new', '-key', file, ...more], '') ?? '';
}
const hasOpenssl = openssl(['version'], '') !== undefined;

describe('createCsr', () => {
  it('makes a request that the reader takes, with the key it was made for', () => {
    expect(readCsr(good).publicKey.equals(key.publicKey)).toBe(true);
    expect(readCsr(good.replaceAll('\n', '\r\n')).publicKey.equals(key.publicKey)).toBe(true);
  });

  it.runIf(hasOpenssl)('makes a request whose signature openssl verifies', () => {
    expect(openssl(['req', '-verify', '-noout', '-subject'], good)).toContain('MCP Tunnel connector');
  });
});

describe('readCsr', () => {
  it.runIf(hasOpenssl)('reads a P-256 request that openssl made', async () => {
    expect(readCsr(await requestByOpenssl(key.privateKey)).publicKey.equals(key.publicKey)).toBe(true);
  });

  const foreignKeys: [string, () => { privateKey: KeyObject }][] = [
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' })],
    ['secp256k1', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
    ['Ed25519', () => generateKeyPairSync('ed25519')],
  ];

  it.runIf(hasOpenssl).each(foreignKeys)('refuses a %s key that openssl made a request for', async (_kind, make) => {
    const request = await requestByOpenssl(make().privateKey);
    expect(() => readCsr(request)).toThrow('the certificate request was refused: ');
  });

  it('refuses a key on another curve, signed as ours are', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
    expect(() => readCsr(createCsr({ publicKey, privateKey, privateKeyPem: '' }, 'x'))).toThrow('not a P-256 key');
  });

  it('refuses a request signed by another key than the one in it', async () => {
    const other = await makeKeyPair();
    const forged = createCsr({ ...key, privateKey: other.privateKey }, 'x');
    expect(() => readCsr(forged)).toThrow('not signed with its own key');
  });

  it('refuses a request that is too long before it is decoded', () => {
    expect(() => readCsr(good + ' '.repeat(maxCsrLength))).toThrow(`longer than ${maxCsrLength}`);
  });

  it('refuses two requests, and a request between other text', () => {
    for (const text of [good + good, `x${good}`, `${good}x`, '']) expect(outcome(text)).toBe('refused');
  });

  it('refuses a request with any one bit of its DER turned over', () => {
    for (let bit = 0; bit < der.length * 8; bit++) {
      const spoilt = Buffer.from(der);
      spoilt.writeUInt8(spoilt.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(outcome(asPem(spoilt)), `bit ${bit}`).toBe('refused');
    }
  });

  it('refuses a request that ends early, at every length', () => {
    for (let length = 0; length < der.length; length++) {
      expect(outcome(asPem(der.subarray(0, length))), `length ${length}`).toBe('refused');
    }
  });

  it('refuses values nested as deep as fits, without running out of stack', () => {
    expect(outcome(asPem(Buffer.alloc(2900, Buffer.from([0x30, 0x80]))))).toBe('refused');
    expect(outcome(asPem(Buffer.alloc(2900, Buffer.from([0xa0, 0x7f]))))).toBe('refused');
  });

  it.runIf(hasOpenssl)('takes what others put into a request, and nothing of it but the key', async () => {
    const extensions = ['subjectAltName=URI:urn:mcp-tunnel:connector:0123456789abcdef', 'basicConstraints=CA:TRUE'];
    const more = ['-subj', '/CN=root/O=x', ...extensions.flatMap((extension) => ['-addext', extension])];
    const request = await requestByOpenssl(key.privateKey, more);
    expect(request.length).toBeGreaterThan(good.length + 80);
    expect(readCsr(request)).toEqual({ publicKey: expect.anything() as unknown });
    expect(readCsr(request).publicKey.equals(key.publicKey)).toBe(true);
  });

  it.runIf(hasOpenssl)('refuses other ways to write a key or sign a request', async () => {
    const explicit = ['-pkeyopt', 'ec_paramgen_curve:P-256', '-pkeyopt', 'ec_param_enc:explicit'];
    const pemKey = openssl(['genpkey', '-algorithm', 'EC', ...explicit], '') ?? '';
    expect(outcome(await requestByOpenssl(pemKey))).toBe('refused');
    for (const digest of ['-sha1', '-sha384', '-sha512']) {
      expect(outcome(await requestByOpenssl(key.privateKey, ['-subj', '/CN=x', digest])), digest).toBe('refused');
    }
  });

  it.runIf(hasOpenssl)('refuses another’s request however a piece of it is spoilt', async () => {
    const request = await requestByOpenssl(key.privateKey, [
      '-subj',
      '/CN=x',
      '-addext',
      'subjectAltName=DNS:x.example',
    ]);
    const theirs = Buffer.from(request.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    const at = fc.nat(theirs.length - 1);
    const spoilt = fc.oneof(
      fc.tuple(at, fc.integer({ min: 1, max: 255 })).map(([place, mask]) => {
        const copy = Buffer.from(theirs);
        copy.writeUInt8(copy.readUInt8(place) ^ mask, place);
        return copy;
      }),
      fc.tuple(at, fc.uint8Array({ minLength: 1, maxLength: 200 })).map(([place, more]) => {
        return Buffer.concat([theirs.subarray(0, place), more, theirs.subarray(place)]);
      }),
      fc.tuple(at, fc.integer({ min: 1, max: 60 })).map(([place, cut]) => {
        return Buffer.concat([theirs.subarray(0, place), theirs.subarray(place + cut)]);
      }),
      // A length that promises more or less than there is.
      fc.tuple(at, fc.constantFrom(0x80, 0x81, 0x82, 0x84, 0x88, 0xff)).map(([place, length]) => {
        const copy = Buffer.from(theirs);
        copy.writeUInt8(length, place);
        return copy;
      }),
    );
    fc.assert(
      fc.property(spoilt, (bytes) => {
        expect(outcome(asPem(bytes))).toBe(bytes.equals(theirs) ? 'read' : 'refused');
      }),
      { numRuns: 1500 },
    );
  });

  it('throws nothing but its own refusal, whatever the bytes', () => {
    const bytes = fc.uint8Array({ maxLength: 600 }).map((array) => asPem(Buffer.from(array)));
    const spliced = fc
      .tuple(fc.nat(der.length), fc.nat(40), fc.uint8Array({ maxLength: 40 }))
      .map(([at, cut, array]) => asPem(Buffer.concat([der.subarray(0, at), array, der.subarray(at + cut)])));
    const text = fc.oneof(fc.string({ maxLength: 500 }), bytes, spliced);
    fc.assert(
      fc.property(text, (input) => {
        const whole = input.replaceAll(/\s/g, '') === good.replaceAll(/\s/g, '');
        expect(outcome(input)).toBe(whole ? 'read' : 'refused');
      }),
      { numRuns: 2000 },
    );
  });
});
