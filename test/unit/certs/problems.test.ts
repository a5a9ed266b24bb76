import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Authority } from '../../../src/certs/authority.ts';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { pinOf } from '../../../src/certs/pin.ts';
import { certificateProblem, pinProblem, validityProblem } from '../../../src/certs/problems.ts';
import { TunnelError } from '../../../src/core/errors.ts';
import { anAuthority, handshake } from '../../support/certs.ts';
import { FakeClock } from '../../support/fakeClock.ts';

const dayMs = 86_400_000;
const server = 'edge.example.com:443';
const today = Date.UTC(2026, 0, 15, 9, 30);
const key = await makeKeyPair();

/** What a client that trusts `trusted` says of a server certificate that `issuer` made for `names`. */
async function verdict(issuer: Authority, trusted: Authority | undefined, names = ['localhost']) {
  const cert = issuer.issueServer({ names, publicKey: key.publicKey, days: 1 });
  const trust = trusted ? { ca: trusted.certificatePem } : {};
  const { client } = await handshake({ key: key.privateKeyPem, cert }, { ...trust, servername: 'localhost' });
  return certificateProblem(client, server, today);
}

const at = (nowMs: number): Promise<Authority> => anAuthority({ clock: new FakeClock(nowMs) });

describe('certificateProblem', () => {
  it('says of an authority that is not trusted what to name', async () => {
    const [ours, foreign] = [await anAuthority(), await anAuthority()];
    for (const trusted of [ours, undefined]) {
      expect(await verdict(foreign, trusted)).toMatchObject({
        code: 'EDGE_IDENTITY',
        retryable: false,
        message: expect.stringContaining('not trusted here: name its CA file or its pin') as string,
      });
    }
  });

  it('tells an expired certificate from one that is not valid yet', async () => {
    const clock = new FakeClock(Date.now() - 10 * dayMs);
    const past = await anAuthority({ clock });
    expect(await verdict(past, past)).toMatchObject({
      code: 'CERTIFICATE_INVALID',
      message: `the certificate of ${server} has expired: if it is 2026-01-15 09:30 UTC, as this machine's clock says, whoever runs it must renew it; if not, set the clock right`,
    });
    clock.advance(20 * dayMs);
    expect(await verdict(past, past)).toMatchObject({
      code: 'CERTIFICATE_INVALID',
      message: `the certificate of ${server} is not valid yet: if it is later than 2026-01-15 09:30 UTC, set this machine's clock right; if not, the clock of whoever made it is ahead`,
    });
  });

  it('says that the name is another', async () => {
    const ours = await anAuthority();
    expect(await verdict(ours, ours, ['elsewhere.example.com'])).toMatchObject({
      code: 'EDGE_IDENTITY',
      message: expect.stringContaining('belongs to another name') as string,
    });
  });

  it.each([
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED', 'it was revoked'],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'it has expired'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'another edge issued it'],
  ])("explains the other side's alert %s", (code, why) => {
    const problem = certificateProblem(Object.assign(new Error('alert'), { code }), server);
    expect(problem).toMatchObject({ code: 'CERTIFICATE_INVALID' });
    expect(problem?.message).toBe(`${server} refused this machine's certificate: ${why}; enroll again`);
  });

  it('leaves failures alone that are no certificate’s', () => {
    for (const failure of [
      undefined,
      null,
      'text',
      new Error('x'),
      { code: 'ECONNREFUSED' },
      { code: 'constructor' },
    ]) {
      expect(certificateProblem(failure, server)).toBeUndefined();
    }
  });
});

describe('validityProblem', () => {
  it('has a sentence for too late, one for too early, and none in between', async () => {
    const now = Date.UTC(2026, 0, 15);
    const { certificate } = await at(now);
    const ask = (nowMs: number): string | undefined => validityProblem(certificate, nowMs, 'the certificate')?.message;
    expect(ask(now)).toBeUndefined();
    expect(ask(Date.parse(certificate.validTo))).toBe(
      `the certificate expired on ${certificate.validTo}: if it is 2036-01-12 23:55 UTC, as this machine's clock says, ask whoever runs the edge for a token of “edge token --connector”, which keeps the names, and enroll again; if not, set the clock right`,
    );
    expect(ask(now - 6 * 60_000)).toBe(
      `the certificate is not valid before ${certificate.validFrom}, and this machine's clock says 2026-01-14 23:54 UTC: set this machine's clock right`,
    );
  });
});

describe('pinProblem', () => {
  it('shows both keys', async () => {
    const { certificatePem } = await anAuthority();
    const certificate = new X509Certificate(certificatePem);
    const problem = pinProblem(certificate, server, 'sha256/wanted');
    expect(problem).toBeInstanceOf(TunnelError);
    expect(problem.code).toBe('EDGE_IDENTITY');
    expect(problem.message).toContain(`the key ${pinOf(certificate)}, not the pinned sha256/wanted`);
  });
});
