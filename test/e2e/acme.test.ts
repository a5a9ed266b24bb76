// Certificates by ACME from real authorities, TLS-ALPN-01 through a real edge on port 443, in a network of the test's own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { CertificateInfo } from '../../src/protocol/control.ts';
import { caHost, startCaddy, startPebble, type AcmeServer } from '../support/acmeServers.ts';
import { everything, root, runCommand, startCommand, type Line, type RunningCommand } from '../support/command.ts';
import { PrivateNetwork } from '../support/privateNetwork.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const domain = 'edge.test';
const hostname = `mine.${domain}`;

/** Four processes start in each test, on machines that have other things to do. */
const patienceMs = 60_000;
vi.setConfig({ testTimeout: 300_000 });

type World = { network: PrivateNetwork; home: string };

/** A network with an edge on 443, and a machine that is enrolled there. */
async function makeWorld(): Promise<World> {
  const network = await PrivateNetwork.open([domain, `connect.${domain}`, `enroll.${domain}`, hostname, caHost]);
  const { within } = network;
  const [data, home] = [await temporaryFolder(), await temporaryFolder()];
  const words = ['edge', 'run', '--domain', domain, '--listen', '127.0.0.1:443', '--data', data, '--json'];
  const { pin } = await startCommand(words, { home: data, within }).line('ready', patienceMs);
  const minted = await runCommand(['edge', 'token', '--json', '--data', data], { home: data, within });
  await runCommand(['allow', 'add', 'edge', domain], { home });
  const enroll = ['enroll', domain, '--json', '--token-file', '-', '--pin', String(pin)];
  const input = String(minted.lines[0]?.['token']);
  expect(await runCommand(enroll, { home, within, input })).toMatchObject({ code: 0 });
  return { network, home };
}

const allowed = async ({ home }: World, { directory }: AcmeServer): Promise<void> => {
  expect(await runCommand(['allow', 'add', 'acme', new URL(directory).host], { home })).toMatchObject({ code: 0 });
};

function expose({ network, home }: World, options: readonly string[]): RunningCommand {
  const tunnel = ['--carrier', 'edge', '--edge', domain, '--name', 'mine', ...options];
  return startCommand(['expose', '--json', ...tunnel, '--', ...everything], { home, within: network.within });
}

const acme = ({ directory, caFile }: AcmeServer): string[] => ['--acme', directory, '--acme-ca', caFile];

const certificateOf = (line: Line): CertificateInfo => line['certificate'] as CertificateInfo;
const shows = (kind: CertificateInfo['kind']) => (line: Line) => certificateOf(line)?.kind === kind;
const warns = (words: RegExp) => (line: Line) => words.test(certificateOf(line)?.warning ?? '');

type Seen = { status: number; body: string; fingerprint256: string; validTo: string; reused: boolean; failed?: string };

/** Who calls once and, with `again`, on the same connection another time. */
async function visit({ network }: World, ready: Line, caFile: string) {
  const script = join(root, 'test/fixtures/visitor.mjs');
  const words = [process.execPath, script, String(ready['url']), String(ready['token']), caFile];
  const whole = [...network.within(root), ...words];
  const child = spawn(whole[0]!, whole.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Seen> => JSON.parse(String((await lines.next()).value)) as Seen;
  return { first: await next(), again: () => (child.stdin.write('\n'), next()) };
}

const problemOf = async ({ home }: World): Promise<{ failures: number; notBeforeMs: number }> => {
  const [folder = ''] = await readdir(join(home, 'acme'));
  const text = await readFile(join(home, 'acme', folder, 'certificates.json'), 'utf8');
  return (JSON.parse(text) as { names: { failures: number; notBeforeMs: number }[] }).names[0]!;
};

describe('a certificate by ACME from Caddy', () => {
  it('is shown to agents as soon as it is issued, and again after a restart without the authority', async () => {
    const world = await makeWorld();
    const caddy = await startCaddy(world.network, await temporaryFolder());
    await allowed(world, caddy);
    const command = expose(world, acme(caddy));
    const ready = await command.line('ready', patienceMs);
    // Until it is there, the local CA's is shown, and that is said.
    expect(certificateOf(ready)).toMatchObject({
      kind: 'local',
      warning: expect.stringContaining('until ca.test:8443'),
    });
    expect((await visit(world, ready, String(ready['caFile']))).first).toMatchObject({ status: 200 });

    const issued = await command.line(shows('acme'), patienceMs);
    expect(certificateOf(issued)).toMatchObject({ account: expect.stringContaining(`https://${caHost}:8443/`) });
    expect(certificateOf(issued)).not.toHaveProperty('warning');
    expect(issued).not.toHaveProperty('caFile');
    const { first } = await visit(world, ready, caddy.caFile);
    expect(first).toMatchObject({ status: 200, body: expect.stringContaining('through the tunnel') });
    expect((await visit(world, ready, String(ready['caFile']))).first.failed).toBeDefined();

    const [folder = ''] = await readdir(join(world.home, 'acme'));
    for (const file of ['account.json', 'certificates.json']) {
      expect((await stat(join(world.home, 'acme', folder, file))).mode & 0o777).toBe(0o600);
    }
    await command.stop();
    await caddy.stop();
    const again = expose(world, acme(caddy));
    const readyAgain = await again.line('ready', patienceMs);
    expect(certificateOf(readyAgain)).toMatchObject({ kind: 'acme' });
    expect((await visit(world, readyAgain, caddy.caFile)).first.fingerprint256).toBe(first.fingerprint256);
  });

  it('is waited for with the local CA’s while the authority is away, and comes when it is back', async () => {
    const world = await makeWorld();
    const folder = await temporaryFolder();
    const caddy = await startCaddy(world.network, folder);
    await allowed(world, caddy);
    await caddy.stop();
    const command = expose(world, acme(caddy));
    const ready = await command.line('ready', patienceMs);
    const waiting = await command.line(
      warns(/ca\.test:8443 cannot be reached \(ECONNREFUSED\); tried again at 20/),
      patienceMs,
    );
    expect(certificateOf(waiting).kind).toBe('local');
    expect((await visit(world, ready, String(ready['caFile']))).first).toMatchObject({ status: 200 });
    await startCaddy(world.network, folder);
    expect(certificateOf(await command.line(shows('acme'), patienceMs))).not.toHaveProperty('warning');
    expect((await visit(world, ready, caddy.caFile)).first).toMatchObject({ status: 200 });
  });

  it('is not asked for where the policy has no entry for the authority', async () => {
    const world = await makeWorld();
    const wanted = ['--acme', `https://${caHost}:8443/acme/local/directory`];
    const command = expose(world, wanted);
    expect(await command.ended).toMatchObject({ code: 3 });
    expect(command.lines().at(-1)).toMatchObject({
      code: 'DESTINATION_DENIED',
      message: expect.stringContaining('{"service":"acme","host":"ca.test:8443"}'),
    });
  });
});

describe('a certificate by ACME from Pebble', () => {
  it('is renewed in time, again and again, and no connection hears of it', async () => {
    const world = await makeWorld();
    const pebble = await startPebble(world.network, { lifetimeS: 60 });
    await allowed(world, pebble);
    const command = expose(world, [...acme(pebble), '--acme-agree-tos', '--acme-email', 'me@example.com']);
    const ready = await command.line('ready', patienceMs);
    const visitor = await visit(world, ready, String(ready['caFile']));
    const first = certificateOf(await command.line(shows('acme'), patienceMs));
    const isNext = (line: Line): boolean => shows('acme')(line) && certificateOf(line).expiresMs > first.expiresMs;
    const second = certificateOf(await command.line(isNext, patienceMs));
    expect(second.expiresMs - first.expiresMs).toBeGreaterThanOrEqual(10_000);
    // From the first one on there was never a moment without one.
    const after = command.lines().slice(command.lines().findIndex(shows('acme')));
    expect(after.filter(shows('local'))).toEqual([]);
    expect(await visitor.again()).toMatchObject({
      status: 200,
      reused: true,
      body: expect.stringContaining('through'),
    });
    expect(command.lines().filter(warns(/not renewed/))).toEqual([]);
  });

  it('is not asked for before a person has agreed to the terms of service', async () => {
    const world = await makeWorld();
    const pebble = await startPebble(world.network, { lifetimeS: 3600 });
    await allowed(world, pebble);
    const command = expose(world, acme(pebble));
    const asked = await command.line(warns(/terms of service \((data|https):/), patienceMs);
    expect(certificateOf(asked)).not.toHaveProperty('account');
    await command.stop();
    expect(
      certificateOf(await expose(world, [...acme(pebble), '--acme-agree-tos']).line(shows('acme'), patienceMs)),
    ).toBeDefined();
  });

  it('fails with the authority’s words where it cannot find the tunnel, and a restart does not try sooner', async () => {
    const world = await makeWorld();
    const pebble = await startPebble(world.network, { lifetimeS: 3600, tlsPort: 444 });
    await allowed(world, pebble);
    const words = [...acme(pebble), '--acme-agree-tos'];
    const command = expose(world, words);
    const failed = await command.line(
      warns(/: ca\.test:14000 looked at mine\.edge\.test and did not find this tunnel: Failed to connect/),
      patienceMs,
    );
    expect(certificateOf(failed).kind).toBe('local');
    const before = await problemOf(world);
    expect(before.failures).toBe(1);
    expect(before.notBeforeMs - Date.now()).toBeGreaterThan(13 * 60_000);
    await command.stop();
    const again = expose(world, words);
    await again.line(warns(/did not find this tunnel/), patienceMs);
    expect(await problemOf(world)).toEqual(before);
  });
});

describe('a certificate of one’s own', () => {
  it('is refused when it is for another name, and read again when it is renewed', async () => {
    const world = await makeWorld();
    const folder = await temporaryFolder();
    const { anAuthority } = await import('../support/certs.ts');
    const { makeKeyPair } = await import('../../src/certs/keyPair.ts');
    const [authority, key] = [await anAuthority(), await makeKeyPair()];
    const at = (name: string): string => join(folder, name);
    const write = (name: string, days: number): Promise<void> => {
      const pem = authority.issueServer({ names: [name], publicKey: key.publicKey, days });
      return writeFile(at('cert.pem'), pem);
    };
    await writeFile(at('key.pem'), key.privateKeyPem);
    await writeFile(at('ca.pem'), authority.certificatePem);
    const words = ['--cert', at('cert.pem'), '--key', at('key.pem')];

    await write(`other.${domain}`, 1);
    const refused = expose(world, words);
    expect(await refused.ended).toMatchObject({ code: 2 });
    expect(refused.lines().at(-1)).toMatchObject({
      message: expect.stringContaining(`is not for ${hostname} but for`),
    });

    await write(hostname, 1);
    const command = expose(world, words);
    const ready = await command.line('ready', patienceMs);
    expect(certificateOf(ready)).toMatchObject({ kind: 'own' });
    expect(ready).not.toHaveProperty('caFile');
    expect((await visit(world, ready, at('ca.pem'))).first).toMatchObject({ status: 200 });
    await write(hostname, 2);
    const { expiresMs } = certificateOf(ready);
    await command.line((line) => shows('own')(line) && certificateOf(line).expiresMs > expiresMs, 30_000);
  });
});
