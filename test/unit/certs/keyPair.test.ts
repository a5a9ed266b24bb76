import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isP256, loadKey, makeKeyPair } from '../../../src/certs/keyPair.ts';

describe('makeKeyPair', () => {
  it('makes a fresh P-256 key each time, as PKCS #8 PEM that loads again', async () => {
    const [one, two] = [await makeKeyPair(), await makeKeyPair()];
    expect(one.privateKeyPem).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect(one.publicKey.equals(two.publicKey)).toBe(false);
    expect(loadKey(one.privateKeyPem).publicKey.equals(one.publicKey)).toBe(true);
    expect(isP256(one.publicKey)).toBe(true);
  });
});

describe('loadKey', () => {
  it('refuses what is no key', async () => {
    const { publicKey } = await makeKeyPair();
    for (const pem of ['', 'rubbish', publicKey.export({ type: 'spki', format: 'pem' }).toString()]) {
      expect(() => loadKey(pem)).toThrow('not an unencrypted PEM key');
    }
  });

  it('refuses keys of another kind', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(() => loadKey(pem)).toThrow('not a P-256 key');
  });
});
