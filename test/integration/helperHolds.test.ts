// Calls that wait, as drivers of a helper and agents of both eras meet them: real servers, real SDK clients.
import { describe, expect, it } from 'vitest';
import { Client as ModernClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { fetch as undiciFetch } from 'undici';
import type { HeldCall, Holds } from '../../src/mcp/heldCall.ts';
import { bothErasCommand } from '../support/bothEras.ts';
import { aHelper, type Driver, type HelperWorld } from '../support/helper.ts';
import { connectSdkAgent, dispatcherFor, type AgentAccess } from '../support/sdkAgent.ts';
import { until } from '../support/until.ts';

const wide = { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'] };
const tool = 'test_simple_text';

type World = HelperWorld & { access: AgentAccess; tunnel: string };

async function aTunnel(flags: string[] = []): Promise<World> {
  const here = await aHelper();
  await here.writePolicy({ agents: { '*': { ...wide, ask: ['test_*'] } } });
  const [command = '', ...args] = bothErasCommand(...flags);
  const transport = { kind: 'stdio' as const, command, args, env: {}, cwd: '/' };
  const { tunnel, token = '' } = await here.open({ server: { inline: { name: 'both', transport } } });
  return { ...here, tunnel: tunnel.id, access: { url: tunnel.loopbackUrl ?? '', token, caFile: tunnel.caFile ?? '' } };
}

async function holds({ peer }: Pick<Driver, 'peer'>): Promise<Holds> {
  return peer.request('holds/list', {});
}

async function held(driver: Pick<Driver, 'peer'>): Promise<HeldCall> {
  let found: HeldCall | undefined;
  await until(async () => (found = (await holds(driver)).held[0]) !== undefined);
  return found!;
}

async function modernClient({
  url,
  token,
  caFile,
}: AgentAccess): Promise<{ client: ModernClient; close(): Promise<void> }> {
  const dispatcher = await dispatcherFor(url, caFile);
  const client = new ModernClient(
    { name: 'modern-agent', version: '1.0.0' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    fetch: ((input: string | URL, init?: RequestInit) =>
      undiciFetch(input, { ...(init as object), dispatcher })) as unknown as typeof fetch,
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  });
  await client.connect(transport);
  const close = async (): Promise<void> => {
    await client.close();
    await dispatcher.destroy();
  };
  return { client, close };
}

describe.each(['legacy', 'modern'] as const)('a call of an SDK client of the %s era', (era) => {
  it('waits, and is continued, denied or mocked by a driver', async () => {
    const here = await aTunnel();
    await here.peer.request('holds/answering', {});
    const agent = era === 'legacy' ? await connectSdkAgent(here.access) : await modernClient(here.access);
    const call = () => agent.client.callTool({ name: tool, arguments: {} });
    const answer = async (given: Parameters<typeof here.peer.request<'holds/answer'>>[1]['answer']) => {
      const { id } = await held(here);
      await here.peer.request('holds/answer', { id, answer: given });
    };

    const continued = call();
    expect(await held(here)).toMatchObject({
      tunnel: here.tunnel,
      tool,
      arguments: '{}',
      rule: 'user agents["*"].ask[0]',
    });
    await answer({ kind: 'continue' });
    expect(JSON.stringify(await continued)).toContain('simple text');

    const denied = call().catch((error: unknown) => String(error));
    await answer({ kind: 'deny', message: 'not on a Friday' });
    expect(await denied).toContain('not on a Friday');

    const mocked = call();
    await answer({ kind: 'mock', result: { content: [{ type: 'text', text: 'as if' }] } });
    expect(JSON.stringify(await mocked)).toContain('as if');
    await agent.close();
  });
});

describe('drivers of held calls', () => {
  it('are equal, hear of each change, and what is held ends with the last one that can answer', async () => {
    const here = await aTunnel();
    const [first, second] = [await here.drive(), await here.drive()];
    const changes: Holds[] = [];
    second.peer.on('holds/changed', (now) => changes.push(now));
    const { client, close } = await connectSdkAgent(here.access);
    const call = () => client.callTool({ name: tool, arguments: {} }).catch((error: unknown) => String(error));
    expect(await call()).toContain('nobody is there who could');

    await first.peer.request('holds/answering', {});
    await second.peer.request('holds/answering', {});
    const waiting = call();
    const { id } = await held(here);
    first.peer.close();
    expect((await holds(here)).held).toHaveLength(1);
    second.peer.close();
    expect(await waiting).toContain('has left');
    expect(changes.some(({ held: all }) => all.some((one) => one.id === id))).toBe(true);
    await expect(here.peer.request('holds/answer', { id, answer: { kind: 'continue' } })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await close();
  });

  it('set breakpoints that end with them, and are told of those that cannot be', async () => {
    const here = await aTunnel();
    const other = await here.drive();
    const breakpoint = { tunnel: here.tunnel, tool: 'x*' };
    await other.peer.request('holds/breakpoints', { breakpoints: [breakpoint] });
    expect(await holds(here)).toEqual({ held: [], breakpoints: [breakpoint] });
    const bad = other.peer.request('holds/breakpoints', {
      breakpoints: [{ arguments: { properties: { a: { pattern: '(' } } } }],
    });
    await expect(bad).rejects.toMatchObject({ code: 'USAGE' });
    other.peer.close();
    await until(async () => (await holds(here)).breakpoints.length === 0);
  });

  it('denies what waits when the tunnel is closed, and refuses an answer that is none', async () => {
    const here = await aTunnel();
    await here.peer.request('holds/answering', {});
    const { client, close } = await connectSdkAgent(here.access);
    const waiting = client.callTool({ name: tool, arguments: {} }).catch(() => 'ended');
    const { id } = await held(here);
    const none = here.peer.request('holds/answer', { id, answer: { kind: 'other' } as never });
    await expect(none).rejects.toMatchObject({ code: 'USAGE' });
    await here.peer.request('tunnel/close', { tunnel: here.tunnel });
    expect(await waiting).toBe('ended');
    expect((await holds(here)).held).toEqual([]);
    await close();
  });
});
