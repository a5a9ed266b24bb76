import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import acme from 'acme-client';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { challengeCertificate } from '../../../src/certs/challengeCertificate.ts';
import { maxChainCertificates, maxChainLength, readChain } from '../../../src/certs/chain.ts';
import { readCsr } from '../../../src/certs/csr.ts';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { createServerCsr } from '../../../src/certs/serverCsr.ts';
import { TunnelError } from '../../../src/core/errors.ts';
import { signCertificate } from '../../../src/certs/x509.ts';
import { anAuthority } from '../../support/certs.ts';
import { FakeClock } from '../../support/fakeClock.ts';

const dayMs = 86_400_000;
const hostname = 'mine.edge.example';
const clock = new FakeClock(Date.UTC(2026, 5, 1));
const nowMs = clock.now();
const authority = await anAuthority({ clock });
const [key, other] = [await makeKeyPair(), await makeKeyPair()];
const leaf = authority.issueServer({ names: [hostname], publicKey: key.publicKey, days: 30 });

/** An authority that is over before what it signs. */
const selfSigned = (() => {
  const { privateKey, publicKey } = other;
  const spec = { kind: 'authority' as const, commonName: 'short', publicKey, notBeforeMs: nowMs - dayMs };
  const pem = signCertificate({ ...spec, notAfterMs: nowMs + 5 * dayMs }, privateKey);
  return { pem, certificate: new X509Certificate(pem), key: privateKey };
})();

const read = (changes: Partial<Parameters<typeof readChain>[0]> = {}) =>
  readChain({
    keyPem: key.privateKeyPem,
    chainPem: leaf + authority.certificatePem,
    hostname,
    nowMs,
    what: 'cert.pem',
    whatKey: 'key.pem',
    ...changes,
  });

describe('a chain', () => {
  it('is taken with its key, and lasts until what of it ends first', () => {
    const chain = read();
    expect(chain.notAfterMs).toBe(nowMs + 30 * dayMs);
    expect(chain.chainPem.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(read({ chainPem: `text before\n${leaf}` }).chainPem).toBe(`${leaf.trim()}\n`);
  });

  it.each<[string, () => Partial<Parameters<typeof readChain>[0]>, RegExp]>([
    ['for another name', () => ({ hostname: 'b.example' }), /cert\.pem is not for b\.example but for DNS:mine/],
    ['of another key', () => ({ keyPem: other.privateKeyPem }), /cert\.pem does not belong to key\.pem/],
    ['that is over', () => ({ nowMs: nowMs + 31 * dayMs }), /cert\.pem expired on/],
    ['that has not begun', () => ({ nowMs: nowMs - dayMs }), /cert\.pem is not valid before .*clock right/],
    [
      'with the certificates in disorder',
      () => ({ chainPem: leaf + leaf }),
      /do not lead to its authority \(number 2\)/,
    ],
    ['of nothing', () => ({ chainPem: '' }), /holds no PEM certificate/],
    ['of a key', () => ({ chainPem: key.privateKeyPem }), /holds no PEM certificate/],
    ['without a key', () => ({ keyPem: leaf }), /key\.pem is no PEM private key/],
    ['that is too long', () => ({ chainPem: 'x'.repeat(maxChainLength + 1) }), /is longer than/],
    ['of too many', () => ({ chainPem: leaf.repeat(maxChainCertificates + 1) }), /holds more than 8/],
    [
      'of what is none',
      () => ({ chainPem: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }),
      /holds something that is no certificate/,
    ],
    [
      'whose key is encrypted',
      () => ({
        keyPem: generateKeyPairSync('ec', { namedCurve: 'P-256' })
          .privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
          .toString(),
      }),
      /key\.pem is encrypted: write it without a passphrase/,
    ],
  ])('%s is refused with a sentence that says so', (_name, changes, words) => {
    const wrong = (): unknown => read(changes());
    expect(wrong).toThrow(words);
    expect(wrong).toThrow(expect.objectContaining({ code: 'CERTIFICATE_INVALID' }));
  });

  it('with an authority that is over is refused, and names which', async () => {
    const old = await anAuthority({ clock: new FakeClock(nowMs - 3650 * dayMs + 60_000) });
    const within = old.issueServer({ names: [hostname], publicKey: key.publicKey, days: 3700 });
    // Its own time is cut to that of its authority: both are over, and the first is named.
    expect(() => read({ chainPem: within + old.certificatePem, nowMs: nowMs + dayMs })).toThrow(
      /^cert\.pem expired on/,
    );
    const long = signCertificate(
      {
        kind: 'server',
        commonName: 'x',
        names: [{ kind: 'dns', name: hostname }],
        publicKey: key.publicKey,
        issuer: selfSigned.certificate,
        notBeforeMs: nowMs,
        notAfterMs: nowMs + 90 * dayMs,
      },
      selfSigned.key,
    );
    const late = nowMs + 10 * dayMs;
    expect(() => read({ chainPem: long + selfSigned.pem, nowMs: late })).toThrow(/^number 2 in cert\.pem expired on/);
    expect(read({ chainPem: long + selfSigned.pem }).notAfterMs).toBe(nowMs + 5 * dayMs);
  });

  it('of any text is refused with our own error, and nothing else', () => {
    const cut = fc.tuple(fc.nat(leaf.length), fc.nat(leaf.length), fc.string()).map(([from, to, text]) => {
      return leaf.slice(0, from) + text + leaf.slice(to);
    });
    fc.assert(
      fc.property(fc.oneof(fc.string(), cut), (chainPem) => {
        try {
          read({ chainPem });
        } catch (error) {
          expect(error).toBeInstanceOf(TunnelError);
        }
      }),
    );
  });
});

describe('what goes to an authority that speaks ACME', () => {
  it('is a request that OpenSSL verifies, with the name where it belongs and no subject', () => {
    const csr = createServerCsr(key, [{ kind: 'dns', name: hostname }]);
    const text = execFileSync('openssl', ['req', '-noout', '-text', '-verify'], {
      input: csr,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    expect(text).toContain(`DNS:${hostname}`);
    expect(text).toMatch(/Subject:\s*\n/);
    expect(readCsr(csr).publicKey.equals(key.publicKey)).toBe(true);
    expect(acme.crypto.readCsrDomains(csr)).toEqual({ commonName: null, altNames: [hostname] });
  });

  it('is a proof as RFC 8737 wants it', () => {
    const pem = challengeCertificate(hostname, 'token.thumbprint', key, nowMs);
    expect(acme.crypto.isAlpnCertificateAuthorizationValid(pem, 'token.thumbprint')).toBe(true);
    expect(acme.crypto.isAlpnCertificateAuthorizationValid(pem, 'token.other')).toBe(false);
    const text = execFileSync('openssl', ['x509', '-noout', '-text'], { input: pem, encoding: 'utf8' });
    expect(text).toMatch(/1\.3\.6\.1\.5\.5\.7\.1\.31: critical/);
    const certificate = new X509Certificate(pem);
    expect(certificate.subjectAltName).toBe(`DNS:${hostname}`);
    expect(certificate.verify(key.publicKey)).toBe(true);
  });
});
