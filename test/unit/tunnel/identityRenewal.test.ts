import { X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { certificateTools } from '../../../src/certs/certificateTools.ts';
import { connectorIdOf, connectorUri } from '../../../src/certs/connectorId.ts';
import { createCsr, readCsr } from '../../../src/certs/csr.ts';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { TunnelError } from '../../../src/core/errors.ts';
import type { PrivateFiles } from '../../../src/core/files.ts';
import { enrolConnector, renewCertificate } from '../../../src/edge/certificates.ts';
import { EdgeState } from '../../../src/edge/edgeState.ts';
import { PrivateFileStore } from '../../../src/helper/privateFiles.ts';
import type { RenewedCertificate } from '../../../src/protocol/edge.ts';
import { loadEdgeIdentity, saveEdgeIdentity, type EdgeIdentity } from '../../../src/tunnel/edgeIdentity.ts';
import {
  IdentityRenewal,
  renewalAnswerMs,
  renewalCheckMs,
  type IdentityRenewalOptions,
} from '../../../src/tunnel/identityRenewal.ts';
import { anAuthority } from '../../support/certs.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';
import { until } from '../../support/until.ts';

const dayMs = 86_400_000;
const domain = 'edge.example.com';

/** A machine that was enrolled just now, at an edge whose store answers its renewals. */
async function aWorld(files: PrivateFiles = new MemoryFiles(), folder = '/edges') {
  const clock = new FakeClock();
  const edge = await EdgeState.load({ files: new MemoryFiles(), folder: '/edge', domain, clock });
  const key = await makeKeyPair();
  const { token } = await edge.mintToken();
  const { connector, ...enrolled } = await enrolConnector(edge, { token, csr: createCsr(key, 'x') }, clock);
  const first: EdgeIdentity = { version: 1, port: 443, connector, ...enrolled, key: key.privateKeyPem };
  await saveEdgeIdentity(first, files, folder);
  const log: string[] = [];
  const asked: string[] = [];
  const warnings: (string | undefined)[] = [];
  const where = { files, folder, clock, certs: certificateTools };

  /** Starts what one process of this machine does; resolves when it has looked at the file. */
  const start = async (options: Partial<IdentityRenewalOptions> = {}): Promise<void> => {
    const waiting = clock.pending;
    const renewal = new IdentityRenewal({
      ...where,
      domain,
      ask: (csr) => (asked.push(csr), renewCertificate(edge, connector, csr, clock)),
      random: () => 0.5,
      log: (line) => void log.push(line),
      ...options,
    });
    onTestFinished(() => renewal.close());
    renewal.onChange(() => warnings.push(renewal.warning));
    await until(() => clock.pending === waiting + 1);
  };
  /** Time that passes in steps, each long enough for what was due to be done. */
  const pass = async (ms: number, stepMs = dayMs / 2): Promise<void> => {
    const timers = clock.pending;
    for (let left = ms; left > 0; left -= stepMs) {
      clock.advance(Math.min(left, stepMs));
      await until(() => clock.pending === timers);
    }
  };
  const load = () => loadEdgeIdentity(domain, where);
  return { clock, edge, first, log, asked, warnings, where, start, pass, load };
}

const foreign = await anAuthority({ clock: new FakeClock() });

describe('IdentityRenewal', () => {
  it('renews at two thirds of the life and not before, with a new key, for the same connector, in a private file', async () => {
    const folder = join(await temporaryFolder(), 'edges');
    const { start, pass, load, first, log, asked } = await aWorld(new PrivateFileStore(), folder);
    await start();
    await pass(60 * dayMs - 3_600_000);
    expect(await load()).toEqual(first);
    await pass(3 * dayMs);
    const renewed = await load();
    expect(asked).toHaveLength(1);
    expect(renewed.key).not.toBe(first.key);
    expect(connectorIdOf(new X509Certificate(renewed.certificate))).toBe(first.connector);
    expect(renewed.expiresMs).toBeGreaterThan(first.expiresMs + 59 * dayMs);
    expect({ ...renewed, key: '', certificate: '', expiresMs: 0 }).toEqual({
      ...first,
      key: '',
      certificate: '',
      expiresMs: 0,
    });
    expect((await stat(join(folder, `${domain}.json`))).mode & 0o777).toBe(0o600);
    expect(log).toEqual([expect.stringContaining('was renewed; it ends on 2026-')]);
  });

  it('goes on for as long as the tunnel is up', async () => {
    const { start, pass, load, asked, clock } = await aWorld();
    await start();
    await pass(400 * dayMs, 2 * dayMs);
    expect(asked).toHaveLength(6);
    expect((await load()).expiresMs - clock.now()).toBeGreaterThan(27 * dayMs);
  });

  it('leaves it to one of several processes', async () => {
    const { start, pass, asked, load, first } = await aWorld();
    for (let process = 0; process < 4; process++) await start();
    await pass(65 * dayMs);
    expect(asked).toHaveLength(1);
    expect((await load()).key).not.toBe(first.key);
  });

  it('renews soon after a machine that slept through the time wakes up', async () => {
    const { start, pass, asked, clock } = await aWorld();
    await start();
    clock.jump(80 * dayMs);
    await pass(renewalCheckMs);
    expect(asked).toHaveLength(1);
  });

  it('says what is in the way a month before it matters, and tries ever later until it works', async () => {
    const { start, pass, log, load, first, edge, clock, warnings } = await aWorld();
    let refused = 0;
    let isBroken = true;
    const ask = async (csr: string): Promise<RenewedCertificate> => {
      if (!isBroken) return renewCertificate(edge, first.connector, csr, clock);
      refused += 1;
      throw new TunnelError('CLOSED', 'no link to the edge is up');
    };
    await start({ ask });
    await pass(62 * dayMs);
    expect(log[0]).toMatch(
      /^this machine's certificate for edge\.example\.com, which ends on 2026-04-15 00:00, could not be renewed: no link to the edge is up; next try in \d+ min$/,
    );
    await pass(10 * dayMs, 3_600_000);
    expect(refused).toBeGreaterThan(12);
    expect(refused).toBeLessThan(120);
    expect(await load()).toEqual(first);
    expect(warnings).toEqual([expect.stringContaining('could not be renewed: no link to the edge is up')]);
    isBroken = false;
    await pass(dayMs);
    expect(warnings.slice(1)).toEqual([undefined]);
    expect((await load()).expiresMs).toBeGreaterThan(first.expiresMs);
  });

  it('keeps what it has when the disk is full, and when the edge does not answer', async () => {
    const files = new MemoryFiles();
    const { start, pass, log, load, first, clock } = await aWorld(files);
    const update = files.update.bind(files);
    files.update = async (path, change) => {
      await change(files.texts.get(path));
      throw new TunnelError('STATE_UNWRITABLE', 'the disk is full');
    };
    await start();
    await pass(62 * dayMs);
    expect(log.at(-1)).toContain('the disk is full');
    expect(await load()).toEqual(first);

    files.update = update;
    const silent = await aWorld();
    await silent.start({
      ask: (_csr, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new TunnelError('TIMEOUT', 'the edge did not answer in time')));
        }),
    });
    silent.clock.advance(renewalCheckMs);
    await until(() => silent.clock.pending === 1);
    silent.clock.jump(70 * dayMs);
    silent.clock.advance(renewalCheckMs);
    await until(() => silent.clock.pending === 1);
    silent.clock.advance(renewalAnswerMs);
    await until(() => silent.log.length === 1);
    expect(silent.log[0]).toContain('the edge did not answer in time');
    expect(await silent.load()).toEqual(silent.first);
    expect(clock.pending).toBe(1);
  });

  type Edge = { edge: EdgeState; connector: string; csr: string; clock: FakeClock };
  const issue = ({ edge, connector, csr }: Edge, { days = 90, by = edge.authority } = {}) => ({
    certificate: by.issueClient({ uri: connectorUri(connector), publicKey: readCsr(csr).publicKey, days }),
  });
  const answers: [string, string, (edge: Edge) => object | Promise<object>][] = [
    ['no certificate at all', 'something else than a certificate', () => ({ certificate: 'x' })],
    ['another shape', 'something else than a certificate', () => ({})],
    [
      'one for another key',
      'a certificate for another key',
      async (edge) => issue({ ...edge, csr: createCsr(await makeKeyPair(), 'x') }),
    ],
    ['one of another authority', 'one of another authority', (edge) => issue(edge, { by: foreign })],
    [
      'one for another connector',
      'a certificate for another connector',
      (edge) => issue({ ...edge, connector: '0123456789abcdef' }),
    ],
    ['one that ends earlier', "is the edge's clock behind?", (edge) => issue(edge, { days: 1 })],
    [
      'one that this machine’s clock finds too early',
      "set this machine's clock right",
      (edge) => {
        const answer = issue(edge);
        edge.clock.jump(-dayMs);
        return answer;
      },
    ],
  ];
  it.each(answers)('keeps what it has where the edge answers with %s', async (_what, words, answer) => {
    const { start, pass, log, load, first, edge, clock } = await aWorld();
    const ask = async (csr: string) =>
      (await answer({ edge, connector: first.connector, csr, clock })) as RenewedCertificate;
    await start({ ask });
    await pass(60 * dayMs);
    while (log.length === 0) await pass(renewalCheckMs, renewalCheckMs);
    expect(log[0]).toContain(words);
    expect(await load()).toEqual(first);
  });

  it('ends while it asks', async () => {
    const { clock, where } = await aWorld();
    clock.jump(70 * dayMs);
    let isAsked = false;
    const ask: IdentityRenewalOptions['ask'] = (_csr, signal) =>
      new Promise((_resolve, reject) => {
        isAsked = true;
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    const log: string[] = [];
    const renewal = new IdentityRenewal({
      ...where,
      domain,
      ask,
      random: () => 0,
      log: (line) => void log.push(line),
    });
    await until(() => isAsked);
    await renewal.close();
    expect([log, clock.pending]).toEqual([[], 0]);
  });
});
