import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isSignedBy, formatSigned } from '../../../src/audit/signedRecord.ts';
import { loadSigner, readPublicKey } from '../../../src/audit/signingKey.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';

const paths = { private: '/home/audit-key.pem', public: '/home/audit-key.pub.pem' };
const record = { kind: 'sealed', chain: 'h1', why: 'closed' } as const;
const link = { seq: 1, prev: '0'.repeat(64) };

describe('loadSigner', () => {
  it('makes the key once, with the public half beside it', async () => {
    const files = new MemoryFiles();
    expect(await readPublicKey(files, paths)).toBeUndefined();
    const first = await loadSigner(files, paths);
    const privateKey = createPrivateKey(files.texts.get(paths.private)!);
    expect(privateKey.asymmetricKeyType).toBe('ed25519');
    expect(createPublicKey(files.texts.get(paths.public)!).equals(createPublicKey(privateKey))).toBe(true);
    expect(await readPublicKey(files, paths)).toBe(first.publicKey);

    const { writes } = files;
    const second = await loadSigner(files, paths);
    expect(second.publicKey).toBe(first.publicKey);
    expect(files.writes).toBe(writes);
    expect(isSignedBy(first.publicKey, Buffer.from(formatSigned(link, 0, record, second)))).toBe(true);
  });

  it('gives the same key to helpers that start at the same time', async () => {
    const files = new MemoryFiles();
    const signers = await Promise.all(Array.from({ length: 8 }, () => loadSigner(files, paths)));
    expect(new Set(signers.map(({ publicKey }) => publicKey)).size).toBe(1);
  });

  it('writes the public half again when it is gone or another one', async () => {
    const files = new MemoryFiles();
    const { publicKey } = await loadSigner(files, paths);
    const { publicKey: foreign } = generateKeyPairSync('ed25519');
    for (const text of [undefined, foreign.export({ type: 'spki', format: 'pem' }).toString()]) {
      if (text === undefined) files.texts.delete(paths.public);
      else files.texts.set(paths.public, text);
      await loadSigner(files, paths);
      expect(await readPublicKey(files, paths)).toBe(publicKey);
    }
  });

  it.each([
    '',
    'nonsense',
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  ])('refuses a file that holds no such key, and says what to do', async (text) => {
    const files = new MemoryFiles();
    files.texts.set(paths.private, text);
    await expect(loadSigner(files, paths)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      data: { file: paths.private },
    });
    expect(files.texts.get(paths.private)).toBe(text);
  });
});

describe('a signature', () => {
  it('covers every byte of its line', async () => {
    const { publicKey, ...signer } = await loadSigner(new MemoryFiles(), paths);
    const line = Buffer.from(formatSigned(link, 0, record, { publicKey, ...signer }));
    expect(isSignedBy(publicKey, line)).toBe(true);
    for (const at of line.keys()) {
      for (const bit of [0, 3, 5, 7]) {
        const edited = Buffer.from(line);
        edited[at] = edited[at]! ^ (1 << bit);
        expect(isSignedBy(publicKey, edited)).toBe(false);
      }
    }
    expect(isSignedBy(publicKey, Buffer.concat([line, Buffer.from(' ')]))).toBe(false);
    expect(isSignedBy(publicKey, line.subarray(1))).toBe(false);
    expect(isSignedBy(publicKey, Buffer.alloc(0))).toBe(false);
  });
});
