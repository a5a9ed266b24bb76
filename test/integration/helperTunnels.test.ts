// Tunnels of a helper from their opening to their end: whatever goes wrong on the way leaves nothing open, no process
// behind, and the name free.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TunnelError, type ErrorCode } from '../../src/core/errors.ts';
import type { OpenedTunnel, OpenTunnel } from '../../src/protocol/control.ts';
import { callHttp1, openHttp1, type Target } from '../support/agents.ts';
import { mcpHeaders } from '../support/gateway.ts';
import { aHelper, anOpening, fixture, type HelperWorld } from '../support/helper.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { until } from '../support/until.ts';

const initialize = Buffer.from(
  JSON.stringify({
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'agent', version: '1' } },
  }),
);

async function world(): Promise<HelperWorld> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  return aHelper({ clock });
}

async function refused(promise: Promise<unknown>): Promise<TunnelError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TunnelError);
  return error as TunnelError;
}

async function targetOf({ tunnel }: OpenedTunnel): Promise<Target> {
  const { hostname = '', url = '', caFile = '' } = tunnel;
  return { hostname, port: Number(new URL(url).port), ca: await readFile(caFile, 'utf8') };
}

/** An MCP session of an agent; the pid of the server's process that serves it. */
async function session(
  opened: OpenedTunnel,
): Promise<{ target: Target; headers: Record<string, string>; pid: number }> {
  const target = await targetOf(opened);
  const headers = mcpHeaders(opened.token ?? '');
  const answer = await callHttp1(target, { method: 'POST', path: '/mcp', headers, body: initialize });
  expect(answer.status, answer.body.toString()).toBe(200);
  const { result } = JSON.parse(answer.body.toString()) as { result: { pid: number } };
  const id = String(answer.headers['mcp-session-id']);
  return { target, headers: { ...headers, 'mcp-session-id': id }, pid: result.pid };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Nobody holds a name, nothing is listed, and the same server gets the name that it would have had. */
async function expectNothingOpen({ peer, paths }: HelperWorld): Promise<void> {
  await until(async () => (await peer.request('tunnel/list', {})).tunnels.length === 0);
  await until(async () => !(await readFile(paths.tunnels, 'utf8').catch(() => '')).includes('holder'));
}

async function occupiedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('a tunnel', () => {
  it('opens, serves, closes and leaves nothing; opened again it is where it was', async () => {
    const here = await world();
    const opened = await here.open();
    expect(opened).toMatchObject({ tunnel: { state: { kind: 'connected' }, privacy: 'end-to-end' } });
    const states = here.states(opened.tunnel.id);
    expect([states[0], states.at(-1)]).toEqual(['starting', 'connected']);
    const { target, pid } = await session(opened);
    expect(isAlive(pid)).toBe(true);

    await here.peer.request('tunnel/close', { tunnel: opened.tunnel.id });
    await until(() => !isAlive(pid));
    await expectNothingOpen(here);
    const gone = callHttp1(target, { path: '/mcp' }).then(
      () => 'answered',
      () => 'gone',
    );
    expect(await gone).toBe('gone');
    expect((await refused(here.peer.request('tunnel/close', { tunnel: opened.tunnel.id }))).code).toBe('NOT_FOUND');

    const again = await here.open();
    expect(again.tunnel.url).toBe(opened.tunnel.url);
    expect(again.tunnel.id).not.toBe(opened.tunnel.id);
    expect((await here.audit()).filter(({ kind }) => kind === 'tunnel').map(({ event }) => event)).toEqual([
      'opened',
      'closed',
      'opened',
    ]);
  });

  it('closed by two at once is closed once', async () => {
    const here = await world();
    const { tunnel } = await here.open();
    const closings = [1, 2].map(() => here.peer.request('tunnel/close', { tunnel: tunnel.id }));
    const results = await Promise.allSettled(closings);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await here.audit()).filter(({ event }) => event === 'closed')).toHaveLength(1);
  });

  it('of the same server, opened twice, is two with names of their own', async () => {
    const here = await world();
    const [first, second] = await Promise.all([here.open(), here.open()]);
    expect(first.tunnel.hostname).not.toBe(second.tunnel.hostname);
    // The grant of one server is good at both of its tunnels.
    await session({ ...second, token: first.token ?? '' });
  });

  it('of another server does not take the grant of the first', async () => {
    const here = await world();
    const first = await here.open();
    const second = await here.open(anOpening(['--other']));
    const call = { method: 'POST', path: '/mcp', headers: mcpHeaders(first.token ?? ''), body: initialize };
    expect((await callHttp1(await targetOf(second), call)).status).toBe(401);
  });
});

describe('an opening that fails', () => {
  const expired = { name: 'x', scope: {}, expiresMs: 1 };
  const http = (url: string) => ({ server: { inline: { name: 'h', transport: { kind: 'http', url, headers: {} } } } });

  it.each<[string, Partial<OpenTunnel>, ErrorCode]>([
    ['because the server exits at once', anOpening(['--exit']), 'UPSTREAM_START'],
    ['because the server is no MCP server', anOpening(['--hello']), 'UPSTREAM_START'],
    ['because the server refuses', anOpening(['--refuse']), 'UPSTREAM_PROTOCOL'],
    [
      'because there is no such command',
      { server: { inline: { name: 'x', transport: { ...fixture(), command: '/no' } } } } as Partial<OpenTunnel>,
      'UPSTREAM_START',
    ],
    [
      'because nothing listens at the URL',
      http('http://127.0.0.1:1/mcp') as Partial<OpenTunnel>,
      'UPSTREAM_UNREACHABLE',
    ],
    ['because the URL is none', http('nonsense') as Partial<OpenTunnel>, 'USAGE'],
    ['because the URL has a password', http('http://a:b@127.0.0.1:1/') as Partial<OpenTunnel>, 'USAGE'],
    ['because the server is elsewhere', http('http://10.1.2.3/mcp') as Partial<OpenTunnel>, 'UPSTREAM_DENIED'],
    [
      'because the edge is not allowed',
      { destination: { carrier: 'edge', host: 'edge.example' } },
      'DESTINATION_DENIED',
    ],
    ['because the name is none', { name: 'No Name' }, 'USAGE'],
    ['because the grant has expired already', { grant: expired }, 'USAGE'],
    ['because the grant has no name', { grant: { ...expired, name: '', expiresMs: Date.now() + 1e6 } }, 'USAGE'],
  ])('%s leaves nothing', async (_why, request, code) => {
    const here = await world();
    const error = await refused(here.open(request));
    expect([error.code, error.message]).toEqual([code, expect.not.stringMatching(/\bat .*\.ts|undefined/)]);
    await expectNothingOpen(here);
    expect((await here.peer.request('grants/list', {})).grants).toEqual([]);
  });

  it('because of its port leaves nothing, and gets its name without it', async () => {
    const here = await world();
    const first = await here.open();
    await here.peer.request('tunnel/close', { tunnel: first.tunnel.id });
    const error = await refused(here.open({ port: await occupiedPort() }));
    expect(error.code).toBe('PORT_IN_USE');
    await expectNothingOpen(here);
    expect((await here.open()).tunnel.hostname).toBe(first.tunnel.hostname);
  });

  it('because this machine is not enrolled leaves nothing', async () => {
    const here = await world();
    await here.writePolicy({ destinations: [{ carrier: 'edge', host: 'edge.example' }] });
    await until(async () => {
      const error = await refused(here.open({ destination: { carrier: 'edge', host: 'edge.example' } }));
      return error.code === 'NOT_ENROLLED';
    });
    await expectNothingOpen(here);
  });

  it('shows the last words of the server', async () => {
    const here = await world();
    const error = await refused(here.open(anOpening(['--exit'])));
    expect(error.message).toContain('the reason why it cannot start');
    expect(JSON.stringify(error.data)).toContain('first words');
  });
});

describe('an opening that is ended', () => {
  const slow = anOpening(['--mute']); // It never answers, so the opening waits.

  async function opening(
    here: HelperWorld,
    signal?: AbortSignal,
  ): Promise<{ failed: Promise<TunnelError>; id: string }> {
    const failed = refused(here.open(slow, signal));
    await until(() => here.tunnels().length === 1);
    return { failed, id: here.tunnels()[0]?.id ?? '' };
  }

  it('by whoever asked for it leaves nothing', async () => {
    const here = await world();
    const cancel = new AbortController();
    const { failed } = await opening(here, cancel.signal);
    cancel.abort();
    expect((await failed).code).toBe('CANCELLED');
    await expectNothingOpen(here);
  });

  it('by a driver that is gone leaves nothing', async () => {
    const here = await world();
    const other = await here.drive();
    const failed = refused(other.peer.request('tunnel/open', slow));
    await until(() => here.tunnels().length === 1);
    other.peer.close();
    expect((await failed).code).toBe('CLOSED');
    await expectNothingOpen(here);
  });

  it('by its close leaves nothing', async () => {
    const here = await world();
    const { failed, id } = await opening(here);
    await here.peer.request('tunnel/close', { tunnel: id });
    expect((await failed).code).toBe('CANCELLED');
    await expectNothingOpen(here);
  });

  it('by its close does not give away the name of the tunnel that is opened next', async () => {
    const here = await world();
    for (let round = 0; round < 10; round += 1) {
      const other = await here.drive();
      const first = refused(other.peer.request('tunnel/open', anOpening()));
      const id = await new Promise<string>((resolve) => {
        other.peer.on('tunnels/changed', ({ tunnels }) => {
          const state = tunnels[0]?.state;
          if (state?.kind === 'starting' && state.step === 'opening the way in') resolve(tunnels[0]!.id);
        });
      });
      await here.peer.request('tunnel/close', { tunnel: id });
      const { tunnel } = await here.peer.request('tunnel/open', anOpening());
      await first;
      const book = JSON.parse(await readFile(here.paths.tunnels, 'utf8')) as {
        tunnels: { label: string; holder?: string }[];
      };
      expect(book.tunnels.find(({ label }) => tunnel.hostname?.startsWith(`${label}.`))?.holder).toBeDefined();
      await here.peer.request('tunnel/close', { tunnel: tunnel.id });
      other.peer.close();
    }
  });

  it('by a policy that no longer allows it says so and leaves nothing', async () => {
    const here = await world();
    const { failed } = await opening(here);
    await here.writePolicy({ destinations: [] });
    expect((await failed).code).toBe('DESTINATION_DENIED');
    await expectNothingOpen(here);
  });

  it('by whoever asked for it, at the last moment, leaves nothing and no grant that is good', async () => {
    const here = await world();
    const other = await here.drive();
    const cancel = new AbortController();
    other.peer.on('tunnels/changed', ({ tunnels }) => {
      if (tunnels[0]?.state.kind === 'connected') cancel.abort();
    });
    expect((await refused(other.peer.request('tunnel/open', anOpening(), cancel.signal))).code).toBe('CANCELLED');
    await expectNothingOpen(here);
    await until(async () => {
      const { grants } = await here.peer.request('grants/list', {});
      return grants.every(({ revokedMs }) => revokedMs !== undefined);
    });
  });

  it('by the end of the helper, while it takes its name, leaves nothing', async () => {
    const here = await aHelper();
    const failed = here.open(slow).catch(() => {});
    // No waiting for whole milliseconds here: the name is taken within one or two.
    const begun = (): boolean => existsSync(`${here.paths.tunnels}.lock`) || existsSync(here.paths.tunnels);
    while (!begun()) await new Promise((resolve) => setImmediate(resolve));
    await here.host.stop();
    expect(existsSync(`${here.paths.tunnels}.lock`)).toBe(false);
    expect(await readFile(here.paths.tunnels, 'utf8').catch(() => '')).not.toContain('holder');
    await failed;
  });

  it('by the end of the helper leaves nothing', async () => {
    const here = await world();
    const { failed } = await opening(here);
    await here.host.stop();
    expect(['CANCELLED', 'CLOSED']).toContain((await failed).code);
    expect(await readFile(here.paths.tunnels, 'utf8')).not.toContain('holder');
  });
});

describe('a policy', () => {
  it('that no longer allows a destination ends its tunnels, agents and processes, and the reason stays', async () => {
    const here = await world();
    const opened = await here.open();
    const { target, headers, pid } = await session(opened);
    const stream = await openHttp1(target, { path: '/mcp', headers });
    const cut = new Promise((resolve) => stream.on('error', () => {}).once('close', resolve));
    stream.resume();

    await here.writePolicy({ destinations: [] });
    await cut;
    await until(() => here.tunnels()[0]?.state.kind === 'failed');
    expect(here.tunnels()[0]?.state).toMatchObject({
      error: { code: 'DESTINATION_DENIED', data: { file: here.paths.userPolicy } },
    });
    expect(here.states(opened.tunnel.id).slice(-2)).toEqual(['connected', 'failed']);
    await until(() => !isAlive(pid));
    expect((await here.audit()).filter(({ kind }) => kind === 'denied')).toMatchObject([{ what: 'destination' }]);

    // Another change of the policy does not end it again; closing takes it off the list and frees the name.
    await here.writePolicy({ destinations: [{ carrier: 'embedded' }], upstreams: [] });
    const allowed = async (): Promise<boolean> =>
      (await here.peer.request('destinations/list', {})).choices.every(({ denied }) => denied === undefined);
    await until(allowed);
    expect((await here.audit()).filter(({ kind }) => kind === 'denied')).toHaveLength(1);
    await here.peer.request('tunnel/close', { tunnel: opened.tunnel.id });
    await expectNothingOpen(here);
    expect((await refused(here.open())).code).toBe('UPSTREAM_DENIED');
  });

  it('that no longer allows a server ends its tunnels', async () => {
    const here = await world();
    await here.open();
    await here.writePolicy({ upstreams: [{ http: '127.0.0.1:*' }] });
    await until(() => here.tunnels()[0]?.state.kind === 'failed');
    expect(here.tunnels()[0]?.state).toMatchObject({ error: { code: 'UPSTREAM_DENIED' } });
  });

  it('that breaks ends all tunnels, and says where it is wrong', async () => {
    const here = await world();
    await here.open();
    await here.writePolicy('{ "version": 1, "destinations": 7 }');
    await until(() => here.tunnels()[0]?.state.kind === 'failed');
    const message = JSON.stringify(here.tunnels()[0]?.state);
    expect(message).toContain('destinations');
  });

  it('is extended by “allow”, and refused where a managed file forbids it', async () => {
    const here = await world();
    const destination = { carrier: 'edge', host: 'edge.example:443' } as const;
    const locked = async () =>
      (await here.peer.request('destinations/list', { edges: [destination.host] })).choices.find(
        (choice) => choice.destination.carrier === 'edge',
      )?.denied;
    expect(await locked()).toMatchObject({ file: here.paths.userPolicy, mayAllow: true });
    expect(await here.peer.request('policy/allow', { destination })).toEqual({ file: here.paths.userPolicy });
    expect(await locked()).toBeUndefined();
    await writeFile(join(here.home, 'managed.json'), JSON.stringify({ version: 1, destinations: [] }));
    await until(async () => (await locked())?.mayAllow === false);
    expect((await refused(here.peer.request('policy/allow', { destination }))).code).toBe('DESTINATION_DENIED');
  });
});

describe('a grant', () => {
  it('that is revoked ends its streams, and its calls are refused from then on', async () => {
    const here = await world();
    const opened = await here.open();
    const { target, headers } = await session(opened);
    const stream = await openHttp1(target, { path: '/mcp', headers });
    const cut = new Promise((resolve) => stream.on('error', () => {}).once('close', resolve));
    stream.resume();
    await here.peer.request('grants/revoke', { id: opened.grant?.id ?? '' });
    await cut;
    expect((await callHttp1(target, { method: 'DELETE', path: '/mcp', headers })).status).toBe(401);
  });

  it('that is rotated has two good tokens for a while, and neither is shown anywhere', async () => {
    const here = await world();
    const opened = await here.open();
    const { token } = await here.peer.request('grants/rotate', { id: opened.grant?.id ?? '', overlapMs: 60_000 });
    for (const good of [token, opened.token]) await session({ ...opened, token: good ?? '' });
    const { rows } = await here.peer.request('traffic/read', { after: 0, max: 100 });
    const details = await Promise.all(rows.map(({ id }) => here.peer.request('traffic/get', { id })));
    const kept = JSON.stringify([rows, details, await here.audit(), here.tunnels()]);
    expect(kept).toContain('initialize');
    expect(kept).not.toContain(token);
    expect(kept).not.toContain(opened.token);
  });
});
