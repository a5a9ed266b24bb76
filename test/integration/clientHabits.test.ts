// What real clients leave out or try first, in front of a real server over stdio and over HTTP: it costs them nothing,
// and they hear of the server what they would hear without a tunnel.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { ServerTransport } from '../../src/core/server.ts';
import { callHttp1, openHttp1, type Answer, type Target } from '../support/agents.ts';
import { bothErasCommand, startBothEras } from '../support/bothEras.ts';
import { aGateway, bodyOf, json, mcpHeaders, post, request, sse } from '../support/gateway.ts';
import { aHelper, type HelperWorld } from '../support/helper.ts';
import { expectNothingLeft } from '../support/leaks.ts';

type Kind = 'stdio' | 'http';
type World = HelperWorld & { target: Target; token: string; url: string | undefined };

async function expose(kind: Kind, era: 'legacy' | 'modern' | 'both'): Promise<World> {
  const [command = '', ...args] = bothErasCommand('--era', era);
  const url = kind === 'http' ? (await startBothEras(['--era', era])).url : undefined;
  const transport: ServerTransport =
    url === undefined
      ? { kind: 'stdio', command, args, env: {}, cwd: process.cwd() }
      : { kind: 'http', url, headers: {} };
  const here = await aHelper();
  const opened = await here.open({ server: { inline: { name: 'both', transport } } });
  const { hostname = '', url: address = '', caFile = '' } = opened.tunnel;
  const target = { hostname, port: Number(new URL(address).port), ca: await readFile(caFile, 'utf8') };
  return { ...here, target, token: opened.token ?? '', url };
}

function ask({ target, token }: World, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  return post({ target, token }, body, { headers });
}

/** Of the first message in an answer, JSON or a stream. */
function messageIn({ body }: Answer): { result?: object; error?: { code: number } } {
  const text = body.toString();
  const data = /^data: (\{.*)$/m.exec(text)?.[1] ?? text;
  return JSON.parse(data) as ReturnType<typeof messageIn>;
}

const clientInfo = { name: 'habits', version: '1' };
const initialize = request('initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo }, 0);
const modernMeta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};

async function rows({ peer }: World): Promise<unknown[]> {
  const read = await peer.request('traffic/read', { after: 0, max: 1_000 });
  return read.rows.filter(({ status, kind }) => status !== 'denied' && kind !== 'event');
}

describe.each(['stdio', 'http'] as const)('in front of a server over %s', (kind) => {
  it('an agent that never sends MCP-Protocol-Version does all it wants, as Gemini CLI does', async () => {
    const world = await expose(kind, 'both');
    const begun = await ask(world, initialize);
    expect(begun.status).toBe(200);
    const session = { 'mcp-session-id': String(begun.headers['mcp-session-id']) };
    const told = await ask(world, { jsonrpc: '2.0', method: 'notifications/initialized' }, session);
    expect(told.status).toBe(202);
    const called = await ask(world, request('tools/call', { name: 'test_simple_text', arguments: {} }, 'c'), session);
    expect(called.status).toBe(200);
    expect(called.body.toString()).toContain('simple text response');
    const gone = await callHttp1(world.target, {
      method: 'DELETE',
      path: '/mcp',
      headers: mcpHeaders(world.token, session),
    });
    expect(gone.status).toBe(200);
  });

  it.each([
    ['without a version', {}],
    ['with an old version, as Codex does', { 'mcp-protocol-version': '2024-11-05' }],
  ])('a GET without a token and %s is told where a token is needed; the server hears nothing', async (_, more) => {
    const world = await expose(kind, 'both');
    const headers = { accept: 'text/event-stream', ...more };
    const answer = await callHttp1(world.target, { path: '/mcp', headers });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    expect(await rows(world)).toEqual([]);
  });

  it('a GET with a token and no session gets an answer at once that no client stumbles over', async () => {
    const world = await expose(kind, 'both');
    const left = new AbortController();
    const call = { path: '/mcp', headers: mcpHeaders(world.token) };
    const answer = await openHttp1(world.target, call, left.signal);
    answer.on('error', () => {}); // It is left below.
    // A stream is the old transport's, and begins with where to post to.
    if (answer.statusCode === 200) {
      const [first] = (await once(answer, 'data')) as [Buffer];
      expect(first.toString()).toMatch(/^event: endpoint\ndata: \/mcp/);
    } else expect([400, 405]).toContain(answer.statusCode);
    left.abort();
  });

  it('server/discover is never refused as 401, 403 or 5xx, where a client would not fall back to initialize', async () => {
    const world = await expose(kind, 'legacy');
    const named = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'server/discover' };
    const asked = [
      ask(world, request('server/discover', { _meta: modernMeta }), named),
      ask(world, request('server/discover', {})),
      ask(world, request('server/discover')),
    ];
    for (const answer of await Promise.all(asked)) {
      expect([200, 400, 404]).toContain(answer.status);
      const { result, error } = messageIn(answer);
      expect(result !== undefined || typeof error?.code === 'number').toBe(true);
      expect(error?.code).not.toBe(-32022); // It says that the method is known.
    }
    expect((await ask(world, initialize)).status).toBe(200);
  });

  it.each([
    ['Mcp-Method', { 'mcp-protocol-version': '2026-07-28', 'mcp-name': 'test_simple_text' }],
    ['Mcp-Name', { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call' }],
    ['MCP-Protocol-Version', { 'mcp-method': 'tools/call', 'mcp-name': 'test_simple_text' }],
  ])('a modern call without %s is refused with -32020, as the server itself does', async (_, headers) => {
    const world = await expose(kind, 'modern');
    const call = request('tools/call', { name: 'test_simple_text', arguments: {}, _meta: modernMeta }, 'm');
    const answer = await ask(world, call, headers);
    expect([answer.status, messageIn(answer)]).toMatchObject([400, { id: 'm', error: { code: -32020 } }]);
    if (world.url !== undefined) {
      const direct = await fetch(world.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
        body: JSON.stringify(call),
      });
      expect(direct.status).toBe(400);
    }
  });
});

// Both SDKs refuse to read these, and servers send them: an error that answers nothing in particular.
const spaced =
  '{ "id":null,\t"error" : {"message":"Session not found","code":-32001.0,"extra":[1e2]},"jsonrpc":"2.0" }';

describe('an error without an id', () => {
  it('passes byte for byte as JSON, whatever its status', async () => {
    expectNothingLeft();
    const world = await aGateway({ answer: () => ({ ...json(spaced), status: 404 }) });
    const answer = await post(world, request('tools/list'));
    expect([answer.status, answer.body.toString()]).toEqual([404, spaced]);
  });

  it('passes byte for byte in a stream', async () => {
    expectNothingLeft();
    const events = `event: message\r\ndata: ${spaced}\r\n\r\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n`;
    const world = await aGateway({ answer: () => sse(bodyOf([Buffer.from(events)])) });
    expect((await post(world, request('tools/list'))).body.toString()).toBe(events);
  });
});
