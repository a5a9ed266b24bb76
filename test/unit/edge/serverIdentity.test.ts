import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { EdgeState } from '../../../src/edge/edgeState.ts';
import { reloadMs, serverDays } from '../../../src/edge/serverIdentity.ts';
import { anAuthority, handshake } from '../../support/certs.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';

const dayMs = 86_400_000;
const usual = { folder: '/edge', domain: 'edge.example.com' };

describe('the edge’s own certificate', () => {
  it('is accepted at both doors by who trusts the edge’s CA', async () => {
    const clock = new FakeClock(Date.now());
    const state = await EdgeState.load({ ...usual, files: new MemoryFiles(), clock });
    const { keyPem, certificatePem } = state.serverIdentity();
    for (const servername of ['connect.edge.example.com', 'enroll.edge.example.com', 'edge.example.com']) {
      const client = { ca: state.authority.certificatePem, servername };
      expect((await handshake({ key: keyPem, cert: certificatePem }, client)).answered).toBe(true);
    }
  });

  it('does not speak for the hostnames of tunnels', async () => {
    const state = await EdgeState.load({ ...usual, files: new MemoryFiles(), clock: new FakeClock() });
    const certificate = new X509Certificate(state.serverIdentity().certificatePem);
    expect(certificate.checkHost('everything-x7k2.edge.example.com')).toBeUndefined();
  });

  it('keeps its pin over restarts and renewals, and is renewed at two thirds of its life', async () => {
    const files = new MemoryFiles();
    const clock = new FakeClock();
    const state = await EdgeState.load({ ...usual, files, clock });
    const first = state.serverIdentity();
    clock.advance((serverDays * dayMs * 2) / 3 - 2000);
    expect(state.serverIdentity()).toBe(first);
    clock.advance(2000);
    const renewed = state.serverIdentity();
    expect(renewed.certificatePem).not.toBe(first.certificatePem);
    const restarted = await EdgeState.load({ ...usual, files, clock });
    expect([renewed.pin, restarted.serverIdentity().pin]).toEqual([first.pin, first.pin]);
  });

  it('says which key file is broken', async () => {
    const files = new MemoryFiles();
    const path = join('/edge', 'server-key.pem');
    files.texts.set(path, 'rubbish');
    const loading = EdgeState.load({ ...usual, files, clock: new FakeClock() });
    await expect(loading).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID', data: { path } });
  });
});

describe('a certificate that somebody brought', () => {
  const doors = ['connect.edge.example.com', 'enroll.edge.example.com'];

  async function bring(names: string[], { days = 1, afterMs = 0, otherKey = false } = {}): Promise<string> {
    const clock = new FakeClock();
    const [key, other] = [await makeKeyPair(), await makeKeyPair()];
    const certificatePem = (await anAuthority({ clock })).issueServer({ names, publicKey: key.publicKey, days });
    clock.advance(afterMs);
    const server = { keyPem: (otherKey ? other : key).privateKeyPem, certificatePem };
    const state = await EdgeState.load({ ...usual, files: new MemoryFiles(), clock, server: async () => server });
    return state.serverIdentity().certificatePem === certificatePem ? 'shown' : 'not shown';
  }

  it('is shown when it names both doors, by themselves or with a wildcard', async () => {
    expect(await bring(doors)).toBe('shown');
    expect(await bring(['*.edge.example.com'])).toBe('shown');
  });

  it('is refused for each fault with its own sentence', async () => {
    await expect(bring(['edge.example.com'])).rejects.toThrow('it does not name connect.edge.example.com');
    await expect(bring(doors.slice(0, 1))).rejects.toThrow('it does not name enroll.edge.example.com');
    await expect(bring(doors, { otherKey: true })).rejects.toThrow('the key belongs to another certificate');
    await expect(bring(doors, { afterMs: dayMs })).rejects.toThrow('it expired on');
    await expect(bring(doors, { afterMs: -dayMs })).rejects.toThrow('it is not valid before');
    const server = { keyPem: 'x', certificatePem: 'y' };
    const clock = new FakeClock();
    await expect(
      EdgeState.load({ ...usual, files: new MemoryFiles(), clock, server: async () => server }),
    ).rejects.toThrow('is not PEM');
  });

  it('is read again every minute and when asked, and only a whole good one takes its place', async () => {
    const clock = new FakeClock();
    const authority = await anAuthority({ clock });
    const make = async () => {
      const key = await makeKeyPair();
      const certificatePem = authority.issueServer({ names: doors, publicKey: key.publicKey, days: 30 });
      return { keyPem: key.privateKeyPem, certificatePem };
    };
    const [first, second, third] = [await make(), await make(), await make()];
    let files = first;
    const state = await EdgeState.load({ ...usual, files: new MemoryFiles(), clock, server: async () => files });
    const problems: unknown[] = [];
    const watching = state.watch((error) => problems.push(error));
    const pinBefore = state.serverIdentity().pin;

    files = { ...first, certificatePem: second.certificatePem }; // Half replaced.
    clock.advance(reloadMs);
    await expect.poll(() => problems.length).toBe(1);
    expect(problems[0]).toMatchObject({ message: expect.stringContaining('belongs to another certificate') as string });
    expect(state.serverIdentity().certificatePem).toBe(first.certificatePem);

    files = second;
    await expect
      .poll(() => (clock.advance(reloadMs), state.serverIdentity().certificatePem))
      .toBe(second.certificatePem);
    expect(state.serverIdentity().pin).not.toBe(pinBefore);

    files = third;
    expect([await state.reloadServer(), await state.reloadServer()]).toEqual([true, false]);
    expect(state.serverIdentity().keyPem).toBe(third.keyPem);
    await watching.close();
    expect(clock.pending).toBe(0);
  });
});
