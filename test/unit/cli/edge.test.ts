import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { TunnelError } from '../../../src/core/errors.ts';
import { EdgeState } from '../../../src/edge/edgeState.ts';
import { PrivateFileStore } from '../../../src/helper/privateFiles.ts';
import { until } from '../../support/until.ts';
import type { Ran } from './world.ts';
import { World } from './world.ts';

let world: World;
let stop: AbortController;
let running: Promise<Ran>[];
beforeEach(async () => {
  world = await World.make();
  stop = new AbortController();
  running = [];
});
afterEach(async () => {
  stop.abort();
  await Promise.all(running);
  await world.close();
});

type Ready = { health?: number; domain: string; edge: string; address: string; pin: string; data: string };

/** Starts an edge and resolves with its `ready` line. */
function startEdge(...more: string[]): Promise<Ready> {
  return new Promise((resolve, reject) => {
    const words = ['edge', 'run', '--domain', 'edge.localhost', '--listen', '127.0.0.1:0', '--json', ...more];
    const onOut = (text: string): void => resolve(JSON.parse(text.split('\n', 1)[0] ?? '') as Ready);
    const run = world.run(words, { signal: stop.signal, onOut });
    running.push(run);
    void run.then(({ err }) => reject(new Error(err)));
  });
}

describe('edge', () => {
  it('is as ready in its metrics as in /readyz', async () => {
    const { data, health } = await startEdge('--health', '127.0.0.1:0');
    const page = async (path: string) => fetch(`http://127.0.0.1:${health}${path}`);
    const ready = async (): Promise<unknown> =>
      /^mcp_tunnel_edge_ready (\d)$/m.exec(await (await page('/metrics')).text())?.[1];
    expect([(await page('/readyz')).status, await ready()]).toEqual([200, '1']);
    await writeFile(join(data, 'edge.json'), 'broken');
    expect(await (await page('/readyz')).json()).toMatchObject({ ready: false, state: 'unreadable' });
    expect(await ready()).toBe('0');
  });

  it('takes SIGHUP from its first moment for what it means, and never as an end', async () => {
    let onHangup: (() => void) | undefined;
    const words = [
      'edge',
      'run',
      '--json',
      '--domain',
      'edge.localhost',
      '--cert',
      'absent.pem',
      '--key',
      'absent.key',
    ];
    const { code } = await world.run(words, { onHangup: (listener) => (onHangup = listener) });
    expect(code).not.toBe(0);
    expect(onHangup).toBeDefined(); // Though it came to nothing.
    const hangUp = (listener: () => void): void => listener(); // Before there is anything to read anew.
    const run = world.run(['edge', 'run', '--json', '--domain', 'edge.localhost', '--listen', '127.0.0.1:0'], {
      signal: stop.signal,
      onHangup: hangUp,
    });
    await until(async () => (await world.run(['edge', 'status', '--json'])).code === 0);
    stop.abort();
    expect((await run).err).toContain('the settings were read anew');
  });

  it('ends at once where a registry says nothing', async () => {
    let met = 0;
    const silent = createServer((socket) => void ((met += 1), socket.on('error', () => {})));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const servers = Array.from({ length: 50 }, (_, at) => `nats://127.0.0.${1 + at}:${port}`);
    const words = ['edge', 'run', '--json', '--domain', 'edge.localhost', '--listen', '127.0.0.1:0'];
    const run = world.run([...words, ...servers.flatMap((server) => ['--registry', server])], { signal: stop.signal });
    await until(() => met > 0);
    stop.abort(new TunnelError('CANCELLED', 'it was told to end'));
    expect(await run).toMatchObject({ events: [{ code: 'CANCELLED' }] });
    silent.close();
  });

  it('runs until it is stopped, and says how to reach and pin it', async () => {
    const ready = await startEdge();
    expect(ready).toMatchObject({
      event: 'ready',
      domain: 'edge.localhost',
      edge: expect.stringMatching(/^edge\.localhost:\d+$/),
      address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      pin: expect.stringMatching(/^sha256\//),
      data: join(world.paths.home, 'edge'),
    });
    stop.abort();
    expect(await running[0]).toMatchObject({ code: 0 });
  });

  it('keeps its pin and domain for the next start', async () => {
    const first = await startEdge();
    stop.abort();
    await running[0];
    stop = new AbortController();
    expect((await startEdge()).pin).toBe(first.pin);
    stop.abort();
    await running[1];
    const other = await world.run(['edge', 'run', '--domain', 'other.localhost', '--listen', '127.0.0.1:0']);
    expect(other).toMatchObject({ code: 2, err: expect.stringContaining('holds the data of edge.localhost') });
  });

  it('lets one edge at a time have its data', async () => {
    await startEdge();
    const second = await world.run(['edge', 'run', '--listen', '127.0.0.1:0', '--json']);
    expect(second).toMatchObject({ code: 2, events: [{ event: 'error', code: 'CONFLICT' }] });
    expect(second.err).toContain('is running already');
  });

  it('makes tokens while it runs and while it does not', async () => {
    const { edge, pin } = await startEdge();
    const token = async (...more: string[]) => (await world.run(['edge', 'token', '--json', ...more])).events[0];
    expect(await token()).toMatchObject({ event: 'token', token: expect.stringMatching(/^mcpe_/), edge, pin });
    stop.abort();
    await running[0];
    expect(await token('--label', 'ada-*')).toMatchObject({ token: expect.stringMatching(/^mcpe_/), edge, pin });
    expect(await token('--label', '///')).toMatchObject({ event: 'error', code: 'USAGE' });
  });

  it('names the commands that come next with the folder they need', async () => {
    const edge = new Promise<string>((resolve) => {
      const words = ['edge', 'run', '--domain', 'edge.localhost', '--listen', '127.0.0.1:0', '--data', 'my data'];
      let told = '';
      const onOut = (text: string): void => void ((told += text).includes('enroll') && resolve(told));
      running.push(world.run(words, { signal: stop.signal, onOut }));
    });
    expect(await edge).toContain('“mcp-tunnel edge token --data "my data" --token-file token.txt”');
    expect((await world.run(['edge', 'routes', '--data', 'my data'])).out).toContain('edge token --data "my data"');
  });

  it('writes a token to a private file and then not to stdout', async () => {
    await startEdge();
    const ran = await world.run(['edge', 'token', '--token-file', 'sub/token.txt', '--json']);
    const file = join(world.folder, 'sub/token.txt');
    const token = (await readFile(file, 'utf8')).trim();
    expect(token).toMatch(/^mcpe_/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(ran.out + ran.err).not.toContain(token);
  });

  it('says that there is no edge where none ever ran', async () => {
    const verbs = [
      ['token'],
      ['token', '--list'],
      ['routes'],
      ['revoke', '0123456789abcdef01234567'],
      ['transfer', 'everything', '0123456789abcdef01234567'],
      ['release', 'everything'],
    ];
    for (const verb of verbs) {
      const ran = await world.run(['edge', ...verb, '--data', 'nowhere']);
      expect(ran).toMatchObject({ code: 2, err: expect.stringContaining('no edge has its data in') });
    }
  });

  it.each(['running', 'stopped'])('lists unspent tokens and makes one worthless, on a %s edge', async (state) => {
    await startEdge();
    if (state === 'stopped') {
      stop.abort();
      await running[0];
    }
    const edge = (...words: string[]) => world.run(['edge', ...words, '--json']);
    const made = (await edge('token', '--label', 'ada-*')).events[0];
    expect(made).toMatchObject({ id: expect.stringMatching(/^token-[0-9a-f]{16}$/) });
    const { id, token } = made as { id: string; token: string };
    expect((await edge('token', '--list')).events).toMatchObject([{ event: 'unspent', id, labels: ['ada-*'] }]);
    expect((await world.run(['edge', 'token', '--list'])).out).not.toContain(token);
    expect((await edge('revoke', id)).events).toEqual([{ event: 'revoked', token: id }]);
    expect((await edge('token', '--list')).events).toEqual([]);
    expect(await edge('revoke', id)).toMatchObject({ code: 2, events: [{ code: 'NOT_FOUND' }] });
  });

  it.each(['running', 'stopped'])('gives names away and takes them back, on a %s edge', async (state) => {
    const { data } = await startEdge();
    const files = new PrivateFileStore();
    const store = await EdgeState.load({ files, folder: data, domain: 'edge.localhost', clock: systemClock });
    const enrol = async () => (await store.spendToken((await store.mintToken()).token)).connector;
    const [one, two] = [await enrol(), await enrol()];
    await store.claimLabel('everything', one);
    if (state === 'stopped') {
      stop.abort();
      await running[0];
    }
    const edge = (...words: string[]) => world.run(['edge', ...words, '--json']);
    expect((await edge('transfer', 'everything', two)).events).toEqual([
      { event: 'transferred', label: 'everything', connector: two },
    ]);
    const routes = async () => (await edge('routes')).events.filter(({ event }) => event === 'route');
    expect(await routes()).toMatchObject([{ hostname: 'everything.edge.localhost', connector: two }]);
    expect(await edge('transfer', 'everything', 'f'.repeat(24))).toMatchObject({ events: [{ code: 'NOT_FOUND' }] });
    expect(await edge('transfer', 'connect', two)).toMatchObject({ code: 2, events: [{ code: 'USAGE' }] });
    expect((await edge('release', 'everything')).events).toEqual([{ event: 'released', label: 'everything' }]);
    expect(await routes()).toEqual([]);
    expect(await edge('release', 'everything')).toMatchObject({ code: 2, events: [{ code: 'NOT_FOUND' }] });

    const again = (await edge('token', '--connector', two)).events[0];
    expect((await store.spendToken((again as { token: string }).token)).connector).toBe(two);
    expect(await edge('token', '--connector', 'f'.repeat(24))).toMatchObject({ events: [{ code: 'NOT_FOUND' }] });
  });

  it('shows no routes yet, and refuses to revoke whom it does not know', async () => {
    await startEdge();
    expect((await world.run(['edge', 'routes'])).out).toContain('No name is owned');
    const unknown = await world.run(['edge', 'revoke', '0123456789abcdef01234567', '--json']);
    expect(unknown).toMatchObject({ code: 2, events: [{ event: 'error', code: 'NOT_FOUND' }] });
  });

  it('needs a domain the first time, and both files of a certificate', async () => {
    expect(await world.run(['edge', 'run'])).toMatchObject({ code: 2, err: expect.stringContaining('--domain') });
    const half = await world.run(['edge', 'run', '--domain', 'edge.localhost', '--cert', 'x.pem']);
    expect(half).toMatchObject({ code: 2, err: expect.stringContaining('go together') });
    const none = await world.run(['edge', 'run', '--domain', 'edge.localhost', '--cert', 'x.pem', '--key', 'y.pem']);
    expect(none).toMatchObject({ code: 2, err: expect.stringContaining('x.pem cannot be read (ENOENT)') });
  });

  it('names the port that is in use, and leaves nothing open', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    const ran = await world.run(['edge', 'run', '--domain', 'edge.localhost', '--listen', `127.0.0.1:${port}`]);
    expect(ran).toMatchObject({ code: 4, err: expect.stringContaining(String(port)) });
    await new Promise((resolve) => taken.close(resolve));
    await startEdge();
  });

  it('names a settings file that is damaged', async () => {
    const data = join(world.folder, 'data');
    await mkdir(data);
    await writeFile(join(data, 'settings.json'), '{"version":1');
    expect(await world.run(['edge', 'routes', '--data', 'data'])).toMatchObject({
      code: 2,
      err: expect.stringContaining(join(data, 'settings.json')),
    });
  });
});
