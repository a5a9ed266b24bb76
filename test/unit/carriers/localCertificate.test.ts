import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type SecureContext } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { innerDays, LocalCertificate } from '../../../src/carriers/localCertificate.ts';
import { anAuthority } from '../../support/certs.ts';
import { FakeClock } from '../../support/fakeClock.ts';

async function shown(secureContext: SecureContext, ca: string, servername: string): Promise<X509Certificate> {
  const server = createServer({ SNICallback: (_name, done) => done(null, secureContext) }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', servername, ca });
  await once(socket, 'secureConnect');
  const certificate = socket.getPeerX509Certificate();
  socket.destroy();
  server.close();
  if (!certificate) throw new Error('no certificate');
  return certificate;
}

describe('the certificate that agents see', () => {
  it('is trusted for its names by whoever trusts the local CA', async () => {
    const clock = new FakeClock(Date.now());
    const authority = await anAuthority({ clock });
    const names = ['a.tunnel.localhost', 'localhost', '127.0.0.1', '::1'];
    const certificate = await LocalCertificate.create({ authority, names, clock });
    const seen = await shown(certificate.context(), authority.certificatePem, 'a.tunnel.localhost');
    for (const name of ['a.tunnel.localhost', 'localhost']) expect(seen.checkHost(name)).toBe(name);
    for (const address of ['127.0.0.1', '::1']) expect(seen.checkIP(address)).toBe(address);
    expect(seen.checkHost('b.tunnel.localhost')).toBeUndefined();
  });

  it('is made anew with the same key before it grows old, and only then', async () => {
    const clock = new FakeClock(Date.now());
    const authority = await anAuthority({ clock });
    const certificate = await LocalCertificate.create({ authority, names: ['a.tunnel.localhost'], clock });
    const first = certificate.context();
    clock.advance((innerDays / 2) * 86_400_000);
    expect(certificate.context()).toBe(first);
    clock.advance((innerDays / 5) * 86_400_000);
    const second = certificate.context();
    expect(second).not.toBe(first);
    expect(certificate.context()).toBe(second);
    const before = await shown(first, authority.certificatePem, 'a.tunnel.localhost');
    expect(before.checkHost('a.tunnel.localhost')).toBeDefined();
  });

  it('cannot be made for names that the CA may not vouch for', async () => {
    const clock = new FakeClock();
    const authority = await anAuthority({ clock, permitted: { dns: ['localhost'], ip: [] } });
    const foreign = LocalCertificate.create({ authority, names: ['a.example'], clock });
    await expect(foreign).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
  });
});
