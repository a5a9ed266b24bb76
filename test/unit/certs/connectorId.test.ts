import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { connectorIdOf, connectorUri, isConnectorId } from '../../../src/certs/connectorId.ts';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import type { AltName } from '../../../src/certs/subjectAltName.ts';
import { signCertificate } from '../../../src/certs/x509.ts';
import { anAuthority } from '../../support/certs.ts';

const authority = await anAuthority();
const key = await makeKeyPair();

/** A certificate for any names, as a careless or foreign authority might sign it. */
function withNames(names: AltName[]): X509Certificate {
  const { publicKey, privateKey } = key;
  const issuer = authority.certificate;
  const pem = signCertificate(
    { kind: 'client', commonName: 'x', names, publicKey, issuer, notBeforeMs: 0, notAfterMs: 1e12 },
    privateKey,
  );
  return new X509Certificate(pem);
}
const uri = (text: string): AltName => ({ kind: 'uri', uri: text });
const ours = uri(connectorUri('0123456789abcdef'));

describe('connectorIdOf', () => {
  it('reads the id that the certificate was issued for', () => {
    const pem = authority.issueClient({ uri: connectorUri('0123456789abcdef'), publicKey: key.publicKey, days: 1 });
    expect(connectorIdOf(new X509Certificate(pem))).toBe('0123456789abcdef');
  });

  it('lets other names stand beside the one', () => {
    const names = [uri('https://example.com/'), ours, { kind: 'dns', name: 'a.example.com' }] as AltName[];
    expect(connectorIdOf(withNames(names))).toBe('0123456789abcdef');
  });

  it.each<[string, AltName[]]>([
    ['no name of ours', [uri('https://example.com/')]],
    ['two of them', [ours, uri(connectorUri('fedcba9876543210'))]],
    ['the same one twice', [ours, ours]],
    ['one as a DNS name', [{ kind: 'dns', name: connectorUri('0123456789abcdef') }]],
    ['a longer text with a comma', [uri(`${connectorUri('0123456789abcdef')},URI:x`)]],
    ['upper case', [uri(connectorUri('0123456789ABCDEF'))]],
    ['an id that is too short', [uri(connectorUri('abc'))]],
    ['an id that is too long', [uri(connectorUri('a'.repeat(65)))]],
    ['ours hidden behind another prefix', [uri(`x${connectorUri('0123456789abcdef')}`)]],
  ])('takes a certificate with %s for nobody', (_what, names) => {
    expect(connectorIdOf(withNames(names))).toBeUndefined();
  });

  it('takes a certificate without any names for nobody', () => {
    expect(connectorIdOf(authority.certificate)).toBeUndefined();
  });
});

describe('isConnectorId', () => {
  it('takes lower-case letters and digits alone', () => {
    expect(isConnectorId('0123456789abcdef')).toBe(true);
    for (const text of ['', 'short', 'with-hyphen1', '0123456789abcdef\n', '../../../etc']) {
      expect(isConnectorId(text)).toBe(false);
    }
  });
});
