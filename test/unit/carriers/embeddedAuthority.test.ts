import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { makeEmbeddedAuthority } from '../../../src/carriers/embeddedAuthority.ts';
import { connectorIdOf } from '../../../src/certs/connectorId.ts';
import { matchesPin } from '../../../src/certs/pin.ts';
import { systemClock } from '../../../src/core/clock.ts';

const made = () => makeEmbeddedAuthority({ domain: 'tunnel.localhost', label: 'a', clock: systemClock });

describe('what an embedded edge knows', () => {
  it('is one connector, and the one name it may claim', async () => {
    const { state, client } = await made();
    const connector = connectorIdOf(new X509Certificate(client.certificate)) ?? '';
    expect(state.isRevoked(connector)).toBe(false);
    expect(state.isRevoked('somebodyelse')).toBe(true);
    await expect(state.claimLabel('a', connector)).resolves.toBeUndefined();
    await expect(state.claimLabel('b', connector)).rejects.toMatchObject({ code: 'ROUTE_DENIED' });
    await expect(state.claimLabel('a', 'somebodyelse')).rejects.toMatchObject({ code: 'ROUTE_DENIED' });
  });

  it('is never the same twice', async () => {
    const [one, other] = await Promise.all([made(), made()]);
    expect(one.pin).not.toBe(other.pin);
    expect(one.ca).not.toBe(other.ca);
    const foreign = new X509Certificate(other.client.certificate);
    expect(foreign.verify(new X509Certificate(one.ca).publicKey)).toBe(false);
  });

  it('pins the key that its door shows', async () => {
    const { state, pin } = await made();
    expect(matchesPin(new X509Certificate(state.serverIdentity().certificatePem), pin)).toBe(true);
  });
});
