// Those who drive a helper: what they hear, what they may ask when, and what two helpers of one user have in common.
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TunnelError } from '../../src/core/errors.ts';
import { connectControl, findHelpers } from '../../src/helper/controlSocket.ts';
import { maxViews } from '../../src/helper/serveTraffic.ts';
import type { DriverContract, HelperContract } from '../../src/protocol/control.ts';
import { callHttp1, openHttp1 } from '../support/agents.ts';
import { mcpHeaders } from '../support/gateway.ts';
import { aHelper, fixture, type DriverPeer, type HelperWorld } from '../support/helper.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

async function refused(promise: Promise<unknown>): Promise<TunnelError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TunnelError);
  return error as TunnelError;
}

/** Another process of the same user, as far as the helper can tell. */
async function throughSocket({ paths }: HelperWorld): Promise<DriverPeer> {
  const [socket = 'no helper found'] = await findHelpers(paths);
  const peer = await connectControl<DriverContract, HelperContract>(socket);
  onTestFinished(() => peer.close());
  return peer.start();
}

describe('a driver', () => {
  it('has to say hello first, in the version of the helper', async () => {
    const here = await aHelper({ hello: false });
    const requests = ['tunnel/list', 'grants/list'] as const;
    for (const method of requests) expect((await refused(here.peer.request(method, {}))).code).toBe('USAGE');
    const old = here.peer.request('hello', { version: 0, trusted: true, folders: [] });
    expect(await refused(old)).toMatchObject({ code: 'USAGE', message: expect.stringContaining('version') as string });
    expect(await findHelpers(here.paths)).toEqual([]);
    const hello = await here.peer.request('hello', { version: 1, trusted: true, folders: [] });
    expect(hello).toMatchObject({ pid: process.pid, home: here.home });
  });

  it('that says hello twice hears everything once', async () => {
    const here = await aHelper();
    await here.peer.request('hello', { version: 1, trusted: true, folders: [] });
    const other = await here.drive();
    const before = here.notified('tunnels/changed');
    const { tunnel } = await here.open();
    await here.peer.request('tunnel/close', { tunnel: tunnel.id });
    // Answers come after what was sent before them.
    await Promise.all([here, other].map(({ peer }) => peer.request('tunnel/list', {})));
    expect(other.notified('tunnels/changed')).toBeGreaterThan(2);
    expect(here.notified('tunnels/changed') - before).toBe(other.notified('tunnels/changed'));
  });

  it('comes and goes without the tunnels of the others', async () => {
    const here = await aHelper();
    const other = await here.drive();
    const { tunnel } = await other.peer.request('tunnel/open', {
      server: { inline: { name: 'h', transport: fixture() } },
      destination: { carrier: 'embedded' },
      grant: { none: true },
    });
    other.peer.close();
    expect((await here.peer.request('tunnel/list', {})).tunnels).toMatchObject([{ id: tunnel.id }]);
  });

  it('hears that there is traffic only while it watches, and no more often than it can look', async () => {
    const here = await aHelper();
    const opened = await here.open();
    const ca = await readFile(opened.tunnel.caFile ?? '', 'utf8');
    const { hostname = '', url = '' } = opened.tunnel;
    const target = { hostname, port: Number(new URL(url).port), ca };
    const call = () => callHttp1(target, { path: '/mcp', headers: mcpHeaders('mcpt_wrong') });
    for (let calls = 0; calls < 20; calls += 1) await call();
    expect(here.notified('traffic/changed')).toBe(0);
    await here.peer.request('traffic/watch', { on: true });
    await here.peer.request('traffic/watch', { on: true });
    const startedMs = performance.now();
    for (let calls = 0; calls < 40; calls += 1) await call();
    await until(() => here.notified('traffic/changed') > 0);
    const windows = Math.ceil((performance.now() - startedMs) / 100) + 1;
    expect(here.notified('traffic/changed')).toBeLessThanOrEqual(windows);
    await here.peer.request('traffic/watch', { on: false });
    const heard = here.notified('traffic/changed');
    // Longer than a hint may wait that was due when the watch ended.
    for (const endMs = performance.now() + 150; performance.now() < endMs;) await call();
    await here.peer.request('tunnel/list', {});
    expect(here.notified('traffic/changed')).toBe(heard);
    await here.peer.request('traffic/clear', {});
    expect((await here.peer.request('traffic/read', { after: 0, max: 10 })).rows).toEqual([]);
    expect((await refused(here.peer.request('traffic/get', { id: 'x' }))).code).toBe('NOT_FOUND');
  });

  it('has a window on the rows that match, is told what is wrong with a filter, and what could be typed', async () => {
    const here = await aHelper();
    const opened = await here.open();
    const ca = await readFile(opened.tunnel.caFile ?? '', 'utf8');
    const { hostname = '', url = '' } = opened.tunnel;
    const target = { hostname, port: Number(new URL(url).port), ca };
    for (let calls = 0; calls < 2; calls += 1)
      await callHttp1(target, { path: '/mcp', headers: mcpHeaders('mcpt_wrong') });
    const view = async (filter: string): Promise<number> => {
      const result = await here.peer.request('traffic/view', { filter });
      if (result.kind === 'problem') throw new Error(result.message);
      return result.view;
    };
    const [strangers, others] = [await view('is:stranger'), await view('server:"no such server"')];
    const window = await here.peer.request('traffic/window', { view: strangers, from: 0, count: 1 });
    expect(window).toMatchObject({ length: 2, from: 0, lines: [{ kind: 'row', row: { stranger: true } }] });
    expect(await here.peer.request('traffic/window', { view: others, from: 'end', count: 9 })).toMatchObject({
      length: 0,
    });
    const own = await view(`server:"${opened.tunnel.server.name}"`);
    expect((await here.peer.request('traffic/window', { view: own, from: 0, count: 9 })).length).toBe(window.total);
    expect(await here.peer.request('traffic/view', { filter: 'ok status:fine' })).toMatchObject({
      kind: 'problem',
      at: 10,
    });
    expect(await here.peer.request('traffic/complete', { text: 'server:', caret: 7 })).toEqual({
      from: 7,
      to: 7,
      options: [opened.tunnel.server.name],
    });
    for (let more = 0; more < maxViews; more += 1) await view('');
    const gone = here.peer.request('traffic/window', { view: strangers, from: 0, count: 1 });
    expect((await refused(gone)).code).toBe('NOT_FOUND');
  });

  it('hears of every change of the grants, whoever made it, and the log holds what it was', async () => {
    const here = await aHelper();
    const other = await aHelper({ home: here.home });
    const heard: { name: string; scope: object }[][] = [];
    here.peer.on('grants/changed', ({ grants }) => heard.push(grants.map(({ name, scope }) => ({ name, scope }))));
    const expiresMs = Date.now() + 3_600_000;
    const { grant } = await other.peer.request('grants/add', { name: 'a', servers: ['*'], scope: {}, expiresMs });
    await until(() => heard.length === 1);
    const scope = {
      methods: ['tools/*'],
      tools: ['echo', 'get-*'],
      prompts: ['p'],
      resources: ['a:*'],
      readOnly: true,
    };
    await other.peer.request('grants/change', { id: grant.id, scope });
    await until(() => heard.length === 2);
    await here.peer.request('grants/change', { id: grant.id, expiresMs: expiresMs - 1_000 });
    expect(heard).toEqual([
      [{ name: 'a', scope: { servers: ['*'] } }],
      [{ name: 'a', scope: { servers: ['*'], ...scope } }],
      [{ name: 'a', scope: { servers: ['*'], ...scope } }],
    ]);
    const written = (await here.audit()).filter(({ kind }) => kind === 'grant');
    expect(written).toHaveLength(3);
    for (const note of [
      { event: 'added', servers: '*' },
      { event: 'changed', methods: 'tools/*', tools: 'echo get-*', prompts: 'p', resources: 'a:*', readOnly: true },
      { event: 'changed', expiresMs: expiresMs - 1_000 },
    ]) {
      expect(written).toContainEqual(expect.objectContaining(note));
    }
    const gone = here.peer.request('grants/change', { id: 'g_none', scope: {} });
    expect((await refused(gone)).code).toBe('NOT_FOUND');
    await here.peer.request('grants/revoke', { id: grant.id });
    expect((await refused(here.peer.request('grants/change', { id: grant.id, scope: {} }))).code).toBe('CONFLICT');
  });

  it('sees every choice of destinations, however one of them is spelled', async () => {
    const here = await aHelper();
    const { choices } = await here.peer.request('destinations/list', {
      edges: ['EDGE.example', 'edge.example:443', 'not a host', '*.example', 'b.example:8443'],
    });
    expect(choices.map(({ destination }) => destination)).toEqual([
      { carrier: 'embedded' },
      { carrier: 'edge', host: 'edge.example:443' },
      { carrier: 'edge', host: 'b.example:8443' },
    ]);
    expect(choices.map(({ denied, enrolled }) => [denied?.mayAllow, enrolled])).toEqual([
      [undefined, undefined],
      [true, false],
      [true, false],
    ]);
  });

  it('is asked for consent, and what is not trusted never runs', async () => {
    const folder = await temporaryFolder();
    const proof = join(folder, 'it-ran');
    await mkdir(join(folder, '.vscode'));
    await writeFile(
      join(folder, '.vscode', 'mcp.json'),
      JSON.stringify({ servers: { it: { command: '/bin/sh', args: ['-c', `touch ${proof}; exit 3`] } } }),
    );
    const here = await aHelper({ folders: [folder], trusted: false });
    const { servers } = await here.peer.request('servers/list', { folders: [folder] });
    const server = { id: servers[0]?.id ?? '', folders: [folder] };
    const { plan } = await here.peer.request('servers/plan', server);
    const ran = () =>
      access(proof).then(
        () => true,
        () => false,
      );

    expect((await refused(here.open({ server, consent: plan.hash }))).code).toBe('UNTRUSTED_WORKSPACE');
    here.peer.notify('trust/changed', { trusted: true });
    const unasked = await refused(here.open({ server }));
    expect([unasked.code, unasked.data?.['plan']]).toEqual(['CONSENT_REQUIRED', plan]);
    expect(await ran()).toBe(false);
    expect((await refused(here.open({ server, consent: plan.hash }))).code).toBe('UPSTREAM_START');
    expect(await ran()).toBe(true);
    expect((await here.audit()).find(({ kind }) => kind === 'consent')).toMatchObject({ hash: plan.hash });
  });

  it('of a workspace hears when its servers change', async () => {
    const folder = await temporaryFolder();
    const here = await aHelper({ folders: [folder] });
    await writeFile(join(folder, '.mcp.json'), '{"mcpServers":{"new":{"command":"node"}}}');
    await until(() => here.notified('servers/changed') > 0);
  });
});

describe('a helper', () => {
  it('that could not begin is tried again at the next hello', async () => {
    const home = await temporaryFolder();
    await writeFile(join(home, 'grants.json'), 'no grants');
    const here = await aHelper({ home, hello: false });
    const hello = () => here.peer.request('hello', { version: 1, trusted: true, folders: [] });
    const error = await refused(hello());
    expect([error.code, error.message]).toEqual(['CONFIG_INVALID', expect.stringContaining('grants.json')]);
    await writeFile(join(home, 'grants.json'), '{"version":1,"grants":[]}');
    expect(await hello()).toMatchObject({ home });
  });

  it('stops once however often it is told, and begins no more after that', async () => {
    const clock = new CountingClock();
    expectNothingLeft(clock);
    const here = await aHelper({ clock });
    await here.open();
    await Promise.all([here.host.stop(), here.host.stop()]);
    await here.host.stop();
    expect(await findHelpers(here.paths)).toEqual([]);
    const late = await here.drive('silent');
    expect((await refused(late.peer.request('hello', { version: 1, trusted: true, folders: [] }))).code).toBe('CLOSED');
  });

  it('that is stopped while it begins leaves nothing', async () => {
    const clock = new CountingClock();
    expectNothingLeft(clock);
    const here = await aHelper({ clock, hello: false });
    const hello = here.peer.request('hello', { version: 1, trusted: true, folders: [] }).catch(() => {});
    await new Promise((resolve) => setImmediate(resolve)); // It has been heard by now, and files are being read.
    await here.host.stop();
    await hello;
    expect(await findHelpers(here.paths)).toEqual([]);
  });

  it('is reached by other processes of the user, who see what its own driver sees', async () => {
    expectNothingLeft();
    const here = await aHelper();
    const opened = await here.open();
    const peer = await throughSocket(here);
    await peer.request('hello', { version: 1, trusted: false, folders: [] });
    expect((await peer.request('tunnel/list', {})).tunnels[0]?.url).toBe(opened.tunnel.url);
    await peer.request('tunnel/close', { tunnel: opened.tunnel.id });
    await until(() => here.tunnels().length === 0);
    expect(JSON.stringify(await peer.request('grants/list', {}))).not.toContain('mcpt_');
    peer.close();
  });
});

describe('two helpers of one user', () => {
  it('do not take each other’s names, and take over those of a dead one', async () => {
    const home = await temporaryFolder();
    const [first, second] = [await aHelper({ home }), await aHelper({ home })];
    const one = await first.open();
    const two = await second.open();
    expect(two.tunnel.hostname).not.toBe(one.tunnel.hostname);
    const label = one.tunnel.hostname?.split('.')[0] ?? '';
    const error = await refused(second.open({ name: label }));
    expect([error.code, error.message]).toEqual(['CONFLICT', expect.stringContaining('fixture')]);
    await first.host.stop();
    expect((await second.open({ name: label })).tunnel.hostname).toBe(one.tunnel.hostname);
  });

  it('share grants: what one revokes ends the streams at the other', async () => {
    const home = await temporaryFolder();
    const [first, second] = [await aHelper({ home }), await aHelper({ home })];
    const opened = await first.open();
    const ca = await readFile(opened.tunnel.caFile ?? '', 'utf8');
    const { hostname = '', url = '' } = opened.tunnel;
    const target = { hostname, port: Number(new URL(url).port), ca };
    const headers = mcpHeaders(opened.token ?? '');
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a', version: '1' } };
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }));
    const answer = await callHttp1(target, { method: 'POST', path: '/mcp', headers, body });
    const session = { ...headers, 'mcp-session-id': String(answer.headers['mcp-session-id']) };
    const stream = await openHttp1(target, { path: '/mcp', headers: session });
    const cut = new Promise((resolve) => stream.on('error', () => {}).once('close', resolve));
    stream.resume();
    await second.peer.request('grants/revoke', { id: opened.grant?.id ?? '' });
    await cut;
    expect((await callHttp1(target, { method: 'POST', path: '/mcp', headers, body })).status).toBe(401);
  });

  it('each keep an audit log of their own', async () => {
    const home = await temporaryFolder();
    const helpers = [await aHelper({ home }), await aHelper({ home })];
    for (const helper of helpers) await helper.open();
    const opened = (await helpers[0]!.audit()).filter(({ event }) => event === 'opened');
    expect(opened).toHaveLength(2);
  });
});
