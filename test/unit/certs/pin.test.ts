import { createHash, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { isPin, matchesPin, pinOf } from '../../../src/certs/pin.ts';
import { anAuthority } from '../../support/certs.ts';

const authority = await anAuthority();
const key = await makeKeyPair();
const issue = (publicKey = key.publicKey): X509Certificate =>
  new X509Certificate(authority.issueServer({ names: ['localhost'], publicKey, days: 1 }));

describe('pinOf', () => {
  it('is the base64 SHA-256 of the public key', () => {
    const spki = key.publicKey.export({ type: 'spki', format: 'der' });
    expect(pinOf(issue())).toBe(`sha256/${createHash('sha256').update(spki).digest('base64')}`);
    expect(isPin(pinOf(issue()))).toBe(true);
  });

  it('stays the same when the certificate is renewed with its key', () => {
    expect(issue().serialNumber).not.toBe(issue().serialNumber);
    expect(pinOf(issue())).toBe(pinOf(issue()));
  });
});

describe('matchesPin', () => {
  it('accepts the key and no other', async () => {
    const other = await makeKeyPair();
    expect(matchesPin(issue(), pinOf(issue()))).toBe(true);
    expect(matchesPin(issue(other.publicKey), pinOf(issue()))).toBe(false);
  });

  it.each(['', 'sha256/', 'sha256/AAAA', 'sha1/AAAA', 'x'.repeat(51)])('refuses the malformed pin “%s”', (pin) => {
    expect(matchesPin(issue(), pin)).toBe(false);
    expect(isPin(pin)).toBe(false);
  });

  it('refuses the pin of the key with something before or after it', () => {
    const pin = pinOf(issue());
    for (const text of [`${pin}\n`, ` ${pin}`, pin.slice(0, -1), pin.toLowerCase()]) {
      expect(matchesPin(issue(), text)).toBe(false);
    }
  });
});
