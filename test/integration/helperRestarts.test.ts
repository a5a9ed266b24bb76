// A tunnel's server that is started anew while agents are in: asked for by a driver, or because its files changed.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { OpenedTunnel, OpenTunnel } from '../../src/protocol/control.ts';
import { callHttp1, type Answer, type Target } from '../support/agents.ts';
import { mcpHeaders } from '../support/gateway.ts';
import { aHelper, anOpening, fixture, type HelperWorld } from '../support/helper.ts';
import { expectNothingLeft } from '../support/leaks.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

type Session = { pid: () => Promise<number>; id: string };

async function sessionOf(opened: OpenedTunnel, token = opened.token ?? ''): Promise<Session> {
  const { hostname = '', url = '', caFile = '' } = opened.tunnel;
  const target: Target = { hostname, port: Number(new URL(url).port), ca: await readFile(caFile, 'utf8') };
  const post = async (message: object, session: Record<string, string> = {}): Promise<Answer> => {
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }));
    const answer = await callHttp1(target, {
      method: 'POST',
      path: '/mcp',
      headers: { ...mcpHeaders(token), ...session },
      body,
    });
    expect(answer.status, answer.body.toString()).toBe(200);
    return answer;
  };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'agent', version: '1' } };
  const begun = await post({ id: 0, method: 'initialize', params });
  const id = String(begun.headers['mcp-session-id']);
  const pid = async (): Promise<number> => {
    const answer = await post({ id: 1, method: 'pid' }, { 'mcp-session-id': id });
    const { result } = JSON.parse(answer.body.toString()) as { result?: { pid: number } };
    return result?.pid ?? 0; // It was restarted just now, and the call may be tried again.
  };
  return { pid, id };
}

async function open(helper: HelperWorld, run?: OpenTunnel['run'], cwd = '/'): Promise<OpenedTunnel> {
  const transport = { ...fixture(), cwd };
  return helper.open(anOpening([], { server: { inline: { name: 'fixture', transport } }, ...(run ? { run } : {}) }));
}

async function world(): Promise<HelperWorld> {
  expectNothingLeft();
  const helper = await aHelper();
  await helper.writePolicy({
    destinations: [{ carrier: 'embedded' }],
    upstreams: [{ stdio: '*' }, { http: '127.0.0.1:*' }],
    agents: { '*': { methods: ['*'], tools: ['*'] } },
  });
  return helper;
}

describe('server/restart', () => {
  it('gives every session another process, and none another id', async () => {
    const helper = await world();
    const opened = await open(helper);
    const sessions = [await sessionOf(opened), await sessionOf(opened)];
    const before = await Promise.all(sessions.map(({ pid }) => pid()));
    await helper.peer.request('server/restart', { tunnel: opened.tunnel.id });
    const after = await Promise.all(sessions.map(({ pid }) => pid()));
    expect(new Set([...before, ...after]).size).toBe(4);
  });

  it('says that there is no such tunnel', async () => {
    const helper = await world();
    await expect(helper.peer.request('server/restart', { tunnel: 'x' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('a tunnel whose server is run in some way', () => {
  it('shares one process between sessions when told to, and starts it anew for all', async () => {
    const helper = await world();
    const opened = await open(helper, { isolation: 'shared' });
    const [one, two] = [await sessionOf(opened), await sessionOf(opened)];
    const pid = await one.pid();
    expect(await two.pid()).toBe(pid);
    await helper.peer.request('server/restart', { tunnel: opened.tunnel.id });
    expect(await one.pid()).not.toBe(pid);
    expect(await two.pid()).toBe(await one.pid());
  });

  it('starts it anew when a watched file changes, and the agent’s session stays', async () => {
    const helper = await world();
    const cwd = await temporaryFolder();
    await mkdir(join(cwd, 'dist'));
    const opened = await open(helper, { watch: ['dist'] }, cwd);
    const session = await sessionOf(opened);
    const pid = await session.pid();
    await writeFile(join(cwd, 'dist', 'server.js'), 'rebuilt');
    await until(async () => ![0, pid].includes(await session.pid()));
  });

  it('is not opened where the server is not run here', async () => {
    const helper = await world();
    const url = 'http://127.0.0.1:9/mcp';
    const server = { inline: { name: 'far', transport: { kind: 'http' as const, url, headers: {} } } };
    const run = { isolation: 'shared' as const };
    await expect(helper.open(anOpening([], { server, run }))).rejects.toMatchObject({ code: 'USAGE' });
    expect(await helper.peer.request('tunnel/list', {})).toEqual({ tunnels: [] });
  });
});
