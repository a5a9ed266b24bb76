// The gateway in front of a server of another era: rules and grants hold as ever, and the inspector shows both forms.
import { describe, expect, it, onTestFinished } from 'vitest';
import { EraBridge } from '../../src/upstream/eras/eraBridge.ts';
import { modernHeaders } from '../../src/upstream/eras/modernHeaders.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { fixtureUpstream } from '../support/eraWorld.ts';
import { FakeLegacyServer } from '../support/fakeLegacyServer.ts';
import { aGateway, bodyOf, post, RecordingUpstream, request, resultOf, type GatewayWorld } from '../support/gateway.ts';
import { modernRequest } from '../support/modernAgent.ts';

type Said = {
  result: { tools: { name: string }[]; content: { text: string }[]; requestState: string; resultType: string };
  error: { code: number; message: string };
};

async function world(upstream: Upstream): Promise<GatewayWorld> {
  const behind = new EraBridge({ upstream });
  onTestFinished(() => behind.close());
  return aGateway({ behind });
}

/** One request of a modern agent. */
async function modern(
  { target }: GatewayWorld,
  token: string,
  method: string,
  params: { name?: string; [key: string]: unknown } = {},
): Promise<Said & { status: number }> {
  const _meta = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: {} } };
  const headers = modernHeaders(method, params as never);
  const answer = await post({ target, token }, modernRequest(1, method, { ...params, _meta }), { headers });
  const text = answer.body.toString();
  return { status: answer.status, ...(JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? text) as Said) };
}

describe('a modern agent at a server of an older era, through the gateway', () => {
  it('sees and calls what its grant names, and nothing else', async () => {
    const server = await fixtureUpstream('http', 'legacy');
    const here = await world(server);
    const { token } = await here.grantFor({ tools: ['test_simple_text'] });
    const { result } = await modern(here, token, 'tools/list');
    expect(result.tools.map(({ name }) => name)).toEqual(['test_simple_text']);
    expect((await modern(here, token, 'tools/call', { name: 'test_simple_text' })).result.content[0]?.text).toContain(
      'simple',
    );
    expect((await modern(here, token, 'tools/call', { name: 'record_call' })).error.code).toBe(-32010);
    const listen = { notifications: { resourceSubscriptions: ['test://watched-resource'] } };
    expect((await modern(here, token, 'subscriptions/listen', listen)).error.code).toBe(-32010);
  });

  it('has rows that say so, with what was said on both sides', async () => {
    const here = await world(new FakeLegacyServer());
    await modern(here, here.token, 'tools/call', { name: 'echo' });
    const row = here.rows().find(({ method }) => method === 'tools/call');
    expect(row).toMatchObject({ era: 'modern', status: 'ok', flags: ['translated'] });
    const { request: asked, messages, translated = [] } = here.detail(row);
    expect(asked?.text).toContain('io.modelcontextprotocol/protocolVersion');
    expect(messages.at(-1)?.text).toContain('"resultType":"complete"');
    expect(translated.map(({ direction }) => direction)).toEqual(['agent-to-server', 'server-to-agent']);
    expect(translated[0]?.text).not.toContain('io.modelcontextprotocol/');
    expect(translated[1]?.text).not.toContain('resultType');
  });

  it('may not go on with a call that is denied by now', async () => {
    const server = new FakeLegacyServer();
    const here = await world(server);
    const { result: asked } = await modern(here, here.token, 'tools/call', { name: 'ask' });
    expect(asked.resultType).toBe('input_required');
    await here.setPolicy({
      agents: { '*': { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'], deny: ['ask'] } },
    });
    const inputResponses = { 'elicitation-1': { action: 'accept', content: {} } };
    const retry = { name: 'ask', requestState: asked.requestState, inputResponses };
    expect((await modern(here, here.token, 'tools/call', retry)).error.code).toBe(-32010);
    const other = { ...retry, name: 'echo' };
    expect(await modern(here, here.token, 'tools/call', other)).toMatchObject({ status: 400, error: { code: -32602 } });
    expect(server.heard.some(({ kind }) => kind === 'result')).toBe(false);
  });

  it('is refused methods of the older eras, and reads what to do instead', async () => {
    const here = await world(new FakeLegacyServer());
    const { status, error } = await modern(here, here.token, 'logging/setLevel', { level: 'info' });
    expect({ status, error }).toMatchObject({
      status: 404,
      error: { code: -32601, message: expect.stringMatching(/name the level/) as string },
    });
    const unknown = await post(here, modernRequest(1, 'tools/list'), {
      headers: { 'mcp-protocol-version': '2026-07-28' },
    });
    expect(unknown.status).toBe(400);
    expect(JSON.parse(unknown.body.toString())).toMatchObject({ error: { code: -32020 } });
  });
});

describe('an agent of an older era at a modern server, through the gateway', () => {
  const initialize = request('initialize', {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  });

  it('has a session of its own, sees what its grant names, and is unknown to others', async () => {
    const here = await world(await fixtureUpstream('http', 'modern'));
    const { token } = await here.grantFor({ tools: ['test_simple_text'] });
    const begun = await post({ target: here.target, token }, initialize);
    expect(JSON.parse(begun.body.toString())).toMatchObject({ result: { protocolVersion: '2025-06-18' } });
    const headers = { 'mcp-session-id': String(begun.headers['mcp-session-id']), 'mcp-protocol-version': '2025-06-18' };
    const listed = await post({ target: here.target, token }, request('tools/list'), { headers });
    expect((JSON.parse(listed.body.toString()) as Said).result.tools.map(({ name }) => name)).toEqual([
      'test_simple_text',
    ]);
    const denied = await post({ target: here.target, token }, request('tools/call', { name: 'record_call' }), {
      headers,
    });
    expect((JSON.parse(denied.body.toString()) as Said).error.code).toBe(-32010);
    expect((await post(here, request('tools/list'), { headers })).status).toBe(404);
    expect(here.rows().find(({ method }) => method === 'tools/list')?.flags).toEqual(
      expect.arrayContaining(['translated', 'filtered']),
    );
    const ended = await post({ target: here.target, token }, '', { method: 'DELETE', headers });
    expect(ended.status).toBe(200);
    expect((await post({ target: here.target, token }, request('tools/list'), { headers })).status).toBe(404);
  });
});

describe('an agent and a server of the same era', () => {
  it('are told apart by nothing from agent and server without a bridge', async () => {
    const odd = '{"jsonrpc": "2.0", "id":1, "result" : {"n": 12345678901234567890, "tools": []}}';
    const server = new RecordingUpstream((sent) => {
      const [message] = sent.messages;
      const isDiscover = message?.kind === 'request' && message.method === 'server/discover';
      if (isDiscover) return resultOf(sent, { supportedVersions: ['2026-07-28'] });
      return {
        ...resultOf(sent, {}),
        headers: { 'content-type': 'application/json' },
        body: bodyOf([Buffer.from(odd)]),
      };
    });
    const here = await world(server);
    const sent = modernRequest(1, 'tools/list');
    const answer = await post(here, sent, { headers: modernHeaders('tools/list', {}) });
    expect(answer.body.toString()).toBe(odd);
    expect(server.heard.at(-1)?.body?.toString()).toBe(JSON.stringify(sent));
    expect(here.rows()[0]?.flags).toEqual([]);
  });
});
