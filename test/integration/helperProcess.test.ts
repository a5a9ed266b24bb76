// The helper as a process of its own: what it says over its pipes, and what is left when it dies.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { TunnelError } from '../../src/core/errors.ts';
import { hungExitCode } from '../../src/helper/main.ts';
import type { DriverContract, HelperContract, OpenedTunnel } from '../../src/protocol/control.ts';
import { Peer } from '../../src/protocol/peer.ts';
import { linePort } from '../../src/wire/linePort.ts';
import { callHttp1 } from '../support/agents.ts';
import { bundle } from '../support/bundle.ts';
import { mcpHeaders } from '../support/gateway.ts';
import { anOpening, type DriverPeer } from '../support/helper.ts';
import { childrenOf, isAlive } from '../support/processes.ts';
import { fixtureServer } from '../support/stdioWorld.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

let folder = '';
let program = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcp-tunnel-test-'));
  program = await bundle(join(import.meta.dirname, 'helperWorker.ts'), folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Process = { child: ChildProcessWithoutNullStreams; peer: DriverPeer; pid: number; ended: Promise<number | null> };

async function start(home: string, { hello = true, run = program } = {}): Promise<Process> {
  const child = spawn(process.execPath, [run], { env: { ...process.env, MCP_TUNNEL_HOME: home } });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  });
  child.stdin.on('error', () => {});
  const port = linePort({ readable: child.stdout, writable: child.stdin }, { maxLineBytes: 1e7, maxQueuedBytes: 1e7 });
  const peer: DriverPeer = new Peer<DriverContract, HelperContract>(port).start();
  if (hello) await peer.request('hello', { version: 1, trusted: true, folders: [] });
  return { child, peer, pid: child.pid ?? 0, ended };
}

/** A session of an agent, so that a server runs for it. */
async function initialize({ tunnel, token = '' }: OpenedTunnel): Promise<number> {
  const { hostname = '', url = '', caFile = '' } = tunnel;
  const target = { hostname, port: Number(new URL(url).port), ca: await readFile(caFile, 'utf8') };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a', version: '1' } };
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }));
  return (await callHttp1(target, { method: 'POST', path: '/mcp', headers: mcpHeaders(token), body })).status;
}

describe('a helper that is killed', () => {
  it('leaves no server behind; the next one has the same hostname and port, and the token still works', async () => {
    const home = await temporaryFolder();
    const first = await start(home);
    const opened = await first.peer.request('tunnel/open', anOpening(['--ignore-close', '--ignore-term']));
    expect(await initialize(opened)).toBe(200);
    const servers = await childrenOf(first.pid, fixtureServer);
    expect(servers.length).toBeGreaterThan(0);
    first.child.kill('SIGKILL');
    await first.ended;
    await until(async () => (await Promise.all(servers.map(isAlive))).every((alive) => !alive));

    const second = await start(home);
    const again = await second.peer.request('tunnel/open', anOpening(['--ignore-close', '--ignore-term']));
    expect(again.tunnel.url).toBe(opened.tunnel.url);
    expect(await initialize({ ...again, token: opened.token ?? '' })).toBe(200);
  });

  it('while it opens a tunnel leaves no server behind, and the name is free', async () => {
    const home = await temporaryFolder();
    const first = await start(home);
    const waits = first.peer.request('tunnel/open', anOpening(['--mute', '--ignore-close'], { name: 'mine' }));
    const failed = waits.catch((error: unknown) => error);
    let servers: number[] = [];
    await until(async () => (servers = await childrenOf(first.pid, fixtureServer)).length > 0);
    // By then its guardian has been told: that is done before anything is said to the server.
    await until(async () => (await childrenOf(first.pid, 'heard initialize')).length > 0);
    first.child.kill('SIGKILL');
    expect(await failed).toMatchObject({ code: 'CLOSED' });
    await until(async () => (await Promise.all(servers.map(isAlive))).every((alive) => !alive));
    const second = await start(home);
    const opened = await second.peer.request('tunnel/open', anOpening([], { name: 'mine' }));
    expect(opened.tunnel.hostname).toMatch(/^mine\./);
  });
});

describe('a helper whose driver', () => {
  it.each([
    ['closes its pipe', ({ child }: Process) => child.stdin.end()],
    ['sends SIGTERM', ({ child }: Process) => child.kill('SIGTERM')],
    ['sends SIGINT', ({ child }: Process) => child.kill('SIGINT')],
  ])('%s closes everything and ends by itself', async (_how, end) => {
    const home = await temporaryFolder();
    const helper = await start(home);
    const opened = await helper.peer.request('tunnel/open', anOpening());
    expect(await initialize(opened)).toBe(200);
    const servers = await childrenOf(helper.pid);
    end(helper);
    expect(await helper.ended).toBe(0);
    await until(async () => (await Promise.all(servers.map(isAlive))).every((alive) => !alive));
    expect(await readFile(`${home}/tunnels.json`, 'utf8')).not.toContain('holder');
  });

  it('closes its pipe is gone within seconds, with a server that ignores everything', { timeout: 30_000 }, async () => {
    const helper = await start(await temporaryFolder());
    const stubborn = ['--ignore-close', '--ignore-term'];
    expect(await initialize(await helper.peer.request('tunnel/open', anOpening(stubborn)))).toBe(200);
    const servers = await childrenOf(helper.pid);
    expect(servers.length).toBeGreaterThan(0);
    helper.child.stdin.end();
    expect(await helper.ended).toBe(0); // And not `hungExitCode`: nothing had to be left open.
    await until(async () => (await Promise.all(servers.map(isAlive))).every((alive) => !alive));
  });

  it.each([
    ['closes its pipe', ({ child }: Process) => child.stdin.end()],
    ['sends SIGTERM', ({ child }: Process) => child.kill('SIGTERM')],
  ])('%s is rid of it even when its stop hangs, and no server stays', async (_how, end) => {
    const hanging = await bundle(join(import.meta.dirname, 'helperHangWorker.ts'), await temporaryFolder());
    const helper = await start(await temporaryFolder(), { run: hanging });
    expect(await initialize(await helper.peer.request('tunnel/open', anOpening()))).toBe(200);
    const servers = await childrenOf(helper.pid, fixtureServer);
    expect(servers.length).toBeGreaterThan(0);
    end(helper);
    expect(await helper.ended).toBe(hungExitCode);
    await until(async () => (await Promise.all(servers.map(isAlive))).every((alive) => !alive));
  });

  it('never says hello ends with its pipe', async () => {
    const helper = await start(await temporaryFolder(), { hello: false });
    helper.child.stdin.end();
    expect(await helper.ended).toBe(0);
  });

  it('sends what is no message is not impressed', async () => {
    const helper = await start(await temporaryFolder());
    helper.child.stdin.write('nonsense\n{"jsonrpc":"2.0"}\n[]\n\0\n{"id":1,"method":"nope"}\n');
    const unknown = helper.peer.request('no/such' as 'tunnel/list', {});
    expect(await unknown.catch((error: unknown) => error)).toBeInstanceOf(TunnelError);
    expect(await helper.peer.request('tunnel/list', {})).toEqual({ tunnels: [] });
    for (const broken of [
      {},
      null,
      [],
      { server: 1 },
      { server: { inline: null } },
      { server: { id: 1, folders: 2 } },
    ]) {
      const attempt = helper.peer.request('tunnel/open', broken as never);
      expect(await attempt.catch((error: unknown) => error)).toBeInstanceOf(TunnelError);
    }
    expect(await helper.peer.request('tunnel/list', {})).toEqual({ tunnels: [] });
  });

  it('has no place to write to hears one sentence that says where', async () => {
    const file = join(await temporaryFolder(), 'a-file');
    await writeFile(file, '');
    const helper = await start(join(file, 'home'), { hello: false });
    const hello = helper.peer.request('hello', { version: 1, trusted: true, folders: [] });
    const error = (await hello.catch((reason: unknown) => reason)) as TunnelError;
    expect([error.code, error.message]).toEqual(['STATE_UNWRITABLE', expect.stringContaining(file)]);
    expect(error.message).not.toMatch(/\n|at .*\.ts/);
  });
});
