import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Authority } from '../../../src/certs/authority.ts';
import { connectorUri } from '../../../src/certs/connectorId.ts';
import { loadKey, makeKeyPair } from '../../../src/certs/keyPair.ts';
import { certificateProblem } from '../../../src/certs/problems.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { anAuthority, handshake } from '../../support/certs.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

const dayMs = 86_400_000;
const path = join('/ca', 'authority.pem');
const permitted = { dns: ['localhost', 'edge.example.com'], ip: ['127.0.0.0/8', '::1/128'] };

function openssl(...args: string[]): string | undefined {
  try {
    return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined;
    throw error;
  }
}
const hasOpenssl = openssl('version') !== undefined;

describe('Authority', () => {
  it('issues a server certificate for names and addresses that TLS 1.3 accepts', async () => {
    const authority = await anAuthority({ permitted });
    const { publicKey, privateKeyPem } = await makeKeyPair();
    const names = ['everything-x7k2.edge.example.com', 'localhost', '127.0.0.1', '::1'];
    const leaf = authority.issueServer({ names, publicKey, days: 30 });

    for (const name of ['everything-x7k2.edge.example.com', 'localhost']) {
      const result = await handshake(
        { key: privateKeyPem, cert: leaf },
        { ca: authority.certificatePem, servername: name },
      );
      expect(result).toEqual({ protocol: 'TLSv1.3', answered: true });
    }
    const byAddress = await handshake({ key: privateKeyPem, cert: leaf }, { ca: authority.certificatePem });
    expect(byAddress).toEqual({ protocol: 'TLSv1.3', answered: true });
    expect(new X509Certificate(leaf).checkIP('::1')).toBe('::1');
  });

  it('issues a client certificate that mutual TLS accepts, and refuses that of another authority', async () => {
    const [ours, foreign] = [await anAuthority(), await anAuthority()];
    const server = await makeKeyPair();
    const client = await makeKeyPair();
    const cert = ours.issueServer({ names: ['localhost'], publicKey: server.publicKey, days: 1 });
    const uri = connectorUri('0123456789abcdef');
    const listener = { key: server.privateKeyPem, cert, ca: ours.certificatePem, requestCert: true };
    const present = (from: Authority) =>
      handshake(listener, {
        ca: ours.certificatePem,
        servername: 'localhost',
        key: client.privateKeyPem,
        cert: from.issueClient({ uri, publicKey: client.publicKey, days: 30 }),
      });

    expect(await present(ours)).toEqual({ protocol: 'TLSv1.3', answered: true });
    expect((await present(foreign)).answered).toBe(false);
  });

  it('does not let a client certificate serve, nor a server certificate act as a client', async () => {
    const authority = await anAuthority();
    const key = await makeKeyPair();
    const server = authority.issueServer({ names: ['localhost'], publicKey: key.publicKey, days: 1 });
    const client = authority.issueClient({ uri: connectorUri('0123456789abcdef'), publicKey: key.publicKey, days: 1 });
    const trust = { ca: authority.certificatePem, servername: 'localhost' };

    const serving = await handshake(
      { key: key.privateKeyPem, cert: client },
      { ...trust, checkServerIdentity: () => undefined },
    );
    expect((serving.client as { code?: string }).code).toBe('INVALID_PURPOSE');
    const acting = await handshake(
      { key: key.privateKeyPem, cert: server, ca: authority.certificatePem, requestCert: true },
      { ...trust, key: key.privateKeyPem, cert: server },
    );
    expect(acting.answered).toBe(false);
  });

  it('writes certificates that node:crypto reads back as RFC 5280 wants them', async () => {
    const clock = new FakeClock();
    const authority = await anAuthority({ clock, permitted });
    const { publicKey } = await makeKeyPair();
    const leaf = new X509Certificate(authority.issueServer({ names: ['localhost', '127.0.0.1'], publicKey, days: 7 }));

    expect(leaf.checkIssued(authority.certificate)).toBe(true);
    expect(leaf.verify(authority.certificate.publicKey)).toBe(true);
    expect([leaf.ca, authority.certificate.ca]).toEqual([false, true]);
    expect(leaf.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1');
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(Date.parse(leaf.validFrom)).toBe(clock.now() - 5 * 60_000);
    expect(Date.parse(leaf.validTo)).toBe(clock.now() + 7 * dayMs);
    expect(leaf.publicKey.equals(publicKey)).toBe(true);
  });

  it('gives every certificate a positive serial number of its own with 128 random bits', async () => {
    const authority = await anAuthority();
    const { publicKey } = await makeKeyPair();
    const serials = Array.from({ length: 50 }, () => {
      return new X509Certificate(authority.issueServer({ names: ['localhost'], publicKey, days: 1 })).serialNumber;
    });
    expect(new Set(serials).size).toBe(50);
    for (const serial of serials) expect(serial).toMatch(/^01[0-9A-F]{32}$/);
  });

  it('never lets a certificate outlive the authority', async () => {
    const clock = new FakeClock();
    const authority = await anAuthority({ clock });
    clock.advance(Date.parse(authority.certificate.validTo) - clock.now() - dayMs);
    const { publicKey } = await makeKeyPair();
    const leaf = new X509Certificate(authority.issueServer({ names: ['localhost'], publicKey, days: 30 }));
    expect(leaf.validTo).toBe(authority.certificate.validTo);
  });

  it('writes dates from 2050 on as GeneralizedTime', async () => {
    const clock = new FakeClock(Date.UTC(2048, 5, 1));
    const { certificate } = await anAuthority({ clock });
    expect(new Date(certificate.validTo).getUTCFullYear()).toBe(2058);
    expect(certificate.raw.includes(Buffer.from('480531235500Z'))).toBe(true);
    expect(certificate.raw.includes(Buffer.from('20580529235500Z'))).toBe(true);
  });

  it.runIf(hasOpenssl)('passes the strict checks of openssl verify', async () => {
    const folder = await temporaryFolder();
    const authority = await anAuthority({ permitted });
    const { publicKey } = await makeKeyPair();
    const names = ['a.edge.example.com', '127.0.0.1', '::1'];
    await writeFile(join(folder, 'ca.pem'), authority.certificatePem);
    await writeFile(join(folder, 'server.pem'), authority.issueServer({ names, publicKey, days: 30 }));
    const uri = connectorUri('0123456789abcdef');
    await writeFile(join(folder, 'client.pem'), authority.issueClient({ uri, publicKey, days: 30 }));
    const verify = (purpose: string, file: string) =>
      openssl('verify', '-x509_strict', '-purpose', purpose, '-CAfile', join(folder, 'ca.pem'), join(folder, file));

    expect(verify('sslserver', 'server.pem')).toContain('OK');
    expect(verify('sslclient', 'client.pem')).toContain('OK');
  });
});

describe('a name-constrained authority', () => {
  it('refuses to vouch for a name it may not', async () => {
    const authority = await anAuthority({ permitted });
    const { publicKey } = await makeKeyPair();
    for (const name of ['example.com', 'evil-localhost', '10.0.0.1', '::2', '*.example.com']) {
      expect(() => authority.issueServer({ names: ['localhost', name], publicKey, days: 1 })).toThrow(name);
    }
  });

  it.each([
    ['a foreign domain', ['www.example.org'], 'www.example.org', permitted],
    ['a foreign address', ['localhost', '10.0.0.1'], 'localhost', permitted],
    ['any address where none is permitted', ['localhost', '127.0.0.1'], 'localhost', { dns: ['localhost'], ip: [] }],
  ])('is refused by TLS clients when its stolen key vouches for %s', async (_what, names, servername, limits) => {
    const files = new MemoryFiles();
    const own = await anAuthority({ files, permitted: limits });
    // The thief has the key and none of our checks.
    const [key = ''] = (files.texts.get(path) ?? '').split('-----BEGIN CERTIFICATE-----');
    const thief = new Authority(own.certificatePem, loadKey(key), systemClock);
    const server = await makeKeyPair();
    const cert = thief.issueServer({ names, publicKey: server.publicKey, days: 1 });

    const result = await handshake({ key: server.privateKeyPem, cert }, { ca: own.certificatePem, servername });
    expect(result.protocol).toBeNull();
    expect(certificateProblem(result.client, 'the edge')?.message).toContain('may not vouch for its names');
  });

  it('is not used when the file was made for other names', async () => {
    const files = new MemoryFiles();
    await anAuthority({ files, permitted });
    await expect(anAuthority({ files, permitted: { dns: ['localhost'], ip: [] } })).rejects.toThrow('other names');
    await expect(anAuthority({ files })).rejects.toThrow('other names');
    await expect(anAuthority({ files, permitted })).resolves.toBeInstanceOf(Authority);
  });
});

describe('Authority.loadOrCreate', () => {
  it('gives two that come at once the same authority, and again after a restart', async () => {
    const files = new MemoryFiles();
    const [one, two] = await Promise.all([anAuthority({ files }), anAuthority({ files })]);
    const later = await anAuthority({ files });
    expect(two.certificatePem).toBe(one.certificatePem);
    expect(later.certificatePem).toBe(one.certificatePem);
    expect(files.writes).toBe(1);
  });

  it.each([
    ['empty', () => ''],
    ['not PEM', () => 'hello'],
    ['cut off', (text: string) => text.slice(0, -80)],
    ['without the key', (text: string) => text.slice(text.indexOf('-----BEGIN CERTIFICATE'))],
    ['with rubbish after it', (text: string) => `${text}rubbish`],
  ])('says which file is wrong and what to do when it is %s', async (_what, spoil) => {
    const files = new MemoryFiles();
    await anAuthority({ files });
    files.texts.set(path, spoil(files.texts.get(path) ?? ''));
    await expect(anAuthority({ files })).rejects.toMatchObject({
      code: 'CERTIFICATE_INVALID',
      message: expect.stringMatching(/\/ca\/authority\.pem does not hold a key and .* move the file away/) as string,
    });
  });

  it('refuses a key and a certificate that do not belong together', async () => {
    const [a, b] = [new MemoryFiles(), new MemoryFiles()];
    await anAuthority({ files: a });
    await anAuthority({ files: b });
    const mark = '-----BEGIN CERTIFICATE';
    const [keyOfA = ''] = (a.texts.get(path) ?? '').split(mark);
    const [, certificateOfB = ''] = (b.texts.get(path) ?? '').split(mark);
    a.texts.set(path, keyOfA + mark + certificateOfB);
    await expect(anAuthority({ files: a })).rejects.toThrow('does not hold a key and the certificate');
  });

  it('says when it has expired, and when the clock is behind', async () => {
    const files = new MemoryFiles();
    await anAuthority({ files, clock: new FakeClock(Date.UTC(2026, 0, 1)) });
    await expect(anAuthority({ files, clock: new FakeClock(Date.UTC(2040, 0, 1)) })).rejects.toThrow('expired on');
    await expect(anAuthority({ files, clock: new FakeClock(Date.UTC(2020, 0, 1)) })).rejects.toThrow(
      "set this machine's clock right",
    );
  });
});
