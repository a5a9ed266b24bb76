// Tunnels that leave an agent's Authorization to the server: what passes, what does not, and who says who the agent is.
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { OpenTunnel } from '../../src/protocol/control.ts';
import { callHttp1, type Answer } from '../support/agents.ts';
import { aGateway, authorityOf, json, request, resultOf, serverId, type GatewayWorld } from '../support/gateway.ts';
import { aHelper, anOpening } from '../support/helper.ts';

const ping = Buffer.from(JSON.stringify(request('ping')));

const world = (answer: Parameters<typeof aGateway>[0] = {}): Promise<GatewayWorld> =>
  aGateway({ answer: (sent) => resultOf(sent, {}), more: { auth: 'upstream' }, ...answer });

function call({ target }: GatewayWorld, headers: Record<string, string>, path = '/mcp'): Promise<Answer> {
  const usual = { host: authorityOf(target), 'content-type': 'application/json', accept: 'application/json' };
  return callHttp1(target, { method: 'POST', path, body: ping, headers: { ...usual, ...headers } });
}

describe('with auth upstream', () => {
  it('Authorization passes unchanged, and the header that names the agent does not', async () => {
    const gateway = await world();
    const authorization = 'DPoP  some.token=, with "what ever"';
    const headers = { authorization, 'mcp-tunnel-authorization': `Bearer ${gateway.token}` };
    expect((await call(gateway, headers)).status).toBe(200);
    const [heard] = gateway.upstream.heard;
    expect(heard!.headers['authorization']).toBe(authorization);
    expect(JSON.stringify(heard)).not.toContain(gateway.token);
    expect(JSON.stringify(gateway.detail(gateway.rows()[0]))).not.toContain('some.token');
  });

  it('a secret in the path names the agent as well', async () => {
    const gateway = await world();
    const { secret } = await gateway.grants.addWay(
      { name: 'x', servers: [serverId], scope: {}, expiresMs: Date.now() + 60_000 },
      { kind: 'path-secret' },
    );
    expect((await call(gateway, { authorization: 'Bearer theirs' }, `/s/${secret}/mcp`)).status).toBe(200);
    expect(gateway.upstream.heard[0]!.headers['authorization']).toBe('Bearer theirs');
  });

  it('a token of the tunnel as Authorization lets nobody in, and goes nowhere beside the right header', async () => {
    const gateway = await world();
    const authorization = `Bearer ${gateway.token}`;
    const refused = await call(gateway, { authorization });
    expect([refused.status, String(refused.body)]).toEqual([401, expect.stringContaining('MCP-Tunnel-Authorization')]);
    expect((await call(gateway, { authorization, 'mcp-tunnel-authorization': authorization })).status).toBe(200);
    expect(JSON.stringify(gateway.upstream.heard)).not.toContain(gateway.token);
  });

  it('two headers that name agents name none', async () => {
    const gateway = await world();
    const one = `Bearer ${gateway.token}`;
    const headers = { 'mcp-tunnel-authorization': [one, one] as unknown as string };
    expect((await call(gateway, headers)).status).toBe(401);
  });

  it('the server’s own 401 and its challenge reach the agent', async () => {
    const challenge = 'Bearer realm="theirs", error="invalid_token"';
    const gateway = await world({
      answer: () => ({ ...json({ error: 'x' }, { 'www-authenticate': challenge }), status: 401 }),
    });
    const answered = await call(gateway, { 'mcp-tunnel-authorization': `Bearer ${gateway.token}` });
    expect([answered.status, answered.headers['www-authenticate']]).toEqual([401, challenge]);
  });

  it('without it, Authorization never passes, nor does the header', async () => {
    const gateway = await aGateway({ answer: (sent) => resultOf(sent, {}) });
    const headers = { authorization: `Bearer ${gateway.token}`, 'mcp-tunnel-authorization': 'Bearer x' };
    expect((await call(gateway, headers)).status).toBe(200);
    expect(Object.keys(gateway.upstream.heard[0]!.headers)).not.toContain('authorization');
    expect(Object.keys(gateway.upstream.heard[0]!.headers)).not.toContain('mcp-tunnel-authorization');
  });
});

describe('a tunnel with auth upstream', () => {
  async function opening(
    more: Partial<OpenTunnel> = {},
    headers: Record<string, string> = {},
  ): Promise<Partial<OpenTunnel>> {
    const server = createServer((_request, response) => response.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
    return {
      server: { inline: { name: 'theirs', transport: { kind: 'http', url, headers } } },
      auth: { upstream: true },
      ...more,
    };
  }

  it.each<[string, Partial<OpenTunnel>, Record<string, string>, string]>([
    ['where nobody could say who he is', { grant: { none: true } }, {}, 'nothing would say who the agent is'],
    ['where agents would pair', { auth: { upstream: true, oauth: true } }, {}, 'agents that ask to be let in'],
    ['where the declaration has one', {}, { AUTHORIZATION: 'Bearer own' }, 'Authorization of its own'],
  ])('is refused %s', async (_when, more, headers, why) => {
    const helper = await aHelper();
    await expect(helper.open(await opening(more, headers))).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining(why),
    });
    expect(helper.tunnels()).toEqual([]);
  });

  it('is refused in front of a stdio server', async () => {
    const helper = await aHelper();
    await expect(helper.open({ ...anOpening(), auth: { upstream: true } })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('stdio'),
    });
  });

  it('opens for agents that come by a certificate or a secret, and lets none pair', async () => {
    const helper = await aHelper();
    const expiresMs = Date.now() + 60_000;
    const { path } = await helper.peer.request('grants/addWay', {
      name: 'x',
      servers: ['*'],
      scope: {},
      expiresMs,
      way: { kind: 'path-secret' },
    });
    const opened = await helper.open(await opening({ grant: { none: true } }));
    expect(path).toMatch(/^\/s\/mcps_\w{49}\/mcp$/);
    await expect(helper.peer.request('pair/open', { tunnel: opened.tunnel.id })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
  });
});
