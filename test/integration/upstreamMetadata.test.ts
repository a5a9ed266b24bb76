// A server that checks its agents itself: what it publishes about its authorization names the address that agents have, and
// every other byte is its own.
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { HttpServer } from '../../src/upstream/httpServer.ts';
import { SseAgents } from '../../src/upstream/sseAgents.ts';
import { callHttp1, type Answer } from '../support/agents.ts';
import {
  aGateway,
  authorityOf,
  mcpHeaders as usualHeaders,
  request,
  serverId,
  type GatewayWorld,
} from '../support/gateway.ts';

/** Where `Authorization` is the server’s, the tunnel’s token has a header of its own. */
const mcpHeaders = (token: string): Record<string, string> => ({
  ...usualHeaders(token),
  'mcp-tunnel-authorization': `Bearer ${token}`,
});

type World = GatewayWorld & { port: number; heard: string[]; get: (path: string) => Promise<Answer> };

const protectedResource = '/.well-known/oauth-protected-resource';

async function aWorld(
  documents: (port: number) => Record<string, string>,
  { auth = 'upstream', challenge }: { auth?: 'upstream' | 'tunnel'; challenge?: (port: number) => string } = {},
): Promise<World> {
  const heard: string[] = [];
  const server = createServer((incoming, response) => {
    heard.push(`${incoming.method} ${incoming.url}`);
    const { port } = server.address() as AddressInfo;
    const document = documents(port)[incoming.url ?? ''];
    if (document !== undefined) {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(document) });
      return void response.end(document);
    }
    if (incoming.url === '/api/mcp' && challenge) {
      return void response.writeHead(401, { 'www-authenticate': challenge(port) }).end('{}');
    }
    response.writeHead(404, { 'content-type': 'text/plain' }).end('nothing');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const listener = new HttpServer({ url: `http://localhost:${port}/api/mcp`, headers: {}, clock: systemClock });
  onTestFinished(() => listener.close());
  const world = await aGateway({ behind: new SseAgents(listener, listener), more: { auth } });
  world.gateway.announce([`https://${authorityOf(world.target)}/mcp`]);
  const get = (path: string): Promise<Answer> =>
    callHttp1(world.target, { path, headers: { ...mcpHeaders(world.token), host: authorityOf(world.target) } });
  return { ...world, port, heard, get };
}

describe('the metadata of a server that checks its agents itself', () => {
  it('names the public address where it named its own, and is byte for byte its own everywhere else', async () => {
    const odd = (resource: string, own: string): string =>
      `{ "scopes_supported":["a" , "b"],\n\t"resource": "${resource}","n":1.0e2,\n "authorization_servers":["https://login.example/","${own}/", "http://localhost:1/other"] , "x":"http://localhost:PORT/api/mcp" }\n`;
    const world = await aWorld((port) => ({
      [`${protectedResource}/api/mcp`]: odd(`http://localhost:${port}/api/mcp`, `http://127.0.0.1:${port}`),
    }));
    const origin = `https://${authorityOf(world.target)}`;
    const answer = await world.get(`${protectedResource}/mcp`);
    expect([answer.status, answer.body.toString()]).toEqual([200, odd(`${origin}/mcp`, origin)]);
    expect(answer.headers['content-length']).toBe(String(answer.body.length));
    expect(world.heard).toEqual([`GET ${protectedResource}/api/mcp`]);
    expect(world.rows()[0]).toMatchObject({ method: 'GET metadata', status: 'ok', flags: ['metadata'] });
    expect(world.audit.records[0]).toMatchObject({ kind: 'call', method: 'GET metadata' });
  });

  it('is found at the root, too, and so is that of an authorization server in the same process', async () => {
    const world = await aWorld((port) => ({
      [protectedResource]: `{"resource":"http://localhost:${port}/"}`,
      '/.well-known/oauth-authorization-server': `{"issuer":"http://localhost:${port}/","token_endpoint":"http://localhost:${port}/token"}`,
      '/.well-known/openid-configuration': `{"issuer":"https://login.example"}`,
    }));
    const origin = `https://${authorityOf(world.target)}`;
    expect((await world.get(protectedResource)).body.toString()).toBe(`{"resource":"${origin}/"}`);
    // The endpoints are no metadata, and not reachable through the tunnel: they stay what they are.
    expect((await world.get('/.well-known/oauth-authorization-server')).body.toString()).toBe(
      `{"issuer":"${origin}/","token_endpoint":"http://localhost:${world.port}/token"}`,
    );
    expect((await world.get('/.well-known/openid-configuration')).body.toString()).toBe(
      '{"issuer":"https://login.example"}',
    );
    expect(world.rows().map(({ flags }) => flags)).toEqual([['metadata'], ['metadata'], []]);
  });

  it('is pointed to by a 401, at the address that agents have', async () => {
    const world = await aWorld(() => ({}), {
      challenge: (port) =>
        `Bearer realm="x", resource_metadata="http://127.0.0.1:${port}${protectedResource}/api/mcp", scope="a b"`,
    });
    const sent = {
      method: 'POST',
      path: '/mcp',
      headers: mcpHeaders(world.token),
      body: Buffer.from(JSON.stringify(request('ping'))),
    };
    const answer = await callHttp1(world.target, sent);
    const where = `https://${authorityOf(world.target)}${protectedResource}/mcp`;
    expect([answer.status, answer.headers['www-authenticate']]).toEqual([
      401,
      `Bearer realm="x", resource_metadata="${where}", scope="a b"`,
    ]);
  });

  it('is found by the holder of a secret address at that address, and by nobody with a wrong one', async () => {
    const world = await aWorld(
      (port) => ({
        [`${protectedResource}/api/mcp`]: `{"resource":"http://localhost:${port}/api/mcp"}`,
        '/.well-known/oauth-authorization-server': `{"issuer":"http://localhost:${port}"}`,
      }),
      { challenge: (port) => `Bearer resource_metadata="http://localhost:${port}${protectedResource}/api/mcp"` },
    );
    const wanted = { name: 'hosted', servers: [serverId], scope: {}, expiresMs: Date.now() + 3_600_000 };
    const { secret = '' } = await world.grants.addWay(wanted, { kind: 'path-secret' });
    const origin = `https://${authorityOf(world.target)}`;
    const asked = (path: string): Promise<Answer> =>
      callHttp1(world.target, { path, headers: { host: authorityOf(world.target) } });

    const found = await asked(`${protectedResource}/s/${secret}/mcp`);
    expect(found.body.toString()).toBe(`{"resource":"${origin}/s/${secret}/mcp"}`);
    const issuer = await asked(`/.well-known/oauth-authorization-server/s/${secret}`);
    expect(issuer.body.toString()).toBe(`{"issuer":"${origin}/s/${secret}"}`);
    const body = Buffer.from(JSON.stringify(request('ping')));
    const headers = { host: authorityOf(world.target), 'content-type': 'application/json' };
    const refused = await callHttp1(world.target, { method: 'POST', path: `/s/${secret}/mcp`, headers, body });
    expect(refused.headers['www-authenticate']).toBe(
      `Bearer resource_metadata="${origin}${protectedResource}/s/${secret}/mcp"`,
    );
    const { length } = world.heard;
    const wrong = await asked(`${protectedResource}/s/${secret.slice(0, -1)}x/mcp`);
    expect([wrong.status, world.heard.length]).toEqual([404, length]);
    // What is shown of it does not hold the secret.
    expect(JSON.stringify([world.rows().map((row) => world.detail(row)), world.audit.records])).not.toContain(secret);
  });

  it('takes no name from what a request says', async () => {
    const world = await aWorld((port) => ({ [protectedResource]: `{"resource":"http://localhost:${port}/api/mcp"}` }));
    const headers = { ...mcpHeaders(world.token), host: 'localhost', 'x-forwarded-host': 'evil.example' };
    const answer = await callHttp1(world.target, { path: protectedResource, headers });
    expect(answer.body.toString()).toBe(`{"resource":"https://${authorityOf(world.target)}/mcp"}`);
  });

  it.each([
    ['POST', protectedResource],
    ['GET', `${protectedResource}/api/mcp`],
    ['GET', `${protectedResource}/mcp/`],
    ['GET', `${protectedResource}/../../secret`],
    ['GET', '/.well-known/security.txt'],
    ['GET', '/authorize'],
    ['GET', '/.well-known/oauth-protected-resource%2fmcp'],
  ])('%s %s is not reachable', async (method, path) => {
    const world = await aWorld(() => ({}));
    const answer = await callHttp1(world.target, { method, path, headers: mcpHeaders(world.token) });
    expect([answer.status, world.heard]).toEqual([404, []]);
  });

  it('is not asked for by strangers, nor where the tunnel checks agents', async () => {
    const world = await aWorld(() => ({ [protectedResource]: '{}' }));
    const stranger = await callHttp1(world.target, { path: protectedResource });
    expect([stranger.status, world.heard]).toEqual([401, []]);
    const usual = await aWorld(() => ({ [protectedResource]: '{}' }), { auth: 'tunnel' });
    expect([(await usual.get(protectedResource)).status, usual.heard]).toEqual([404, []]);
  });

  it.each([
    ['is too large', `{"x":"${'x'.repeat(70_000)}"}`, 502],
    ['is no JSON', '<html>', 200],
    ['is no object', '["http://localhost/"]', 200],
    ['says other things than expected', '{"resource":7,"authorization_servers":{"a":1},"issuer":null}', 200],
  ])('that %s does no harm', async (_, document, status) => {
    const world = await aWorld(() => ({ [protectedResource]: document }));
    const answer = await world.get(protectedResource);
    expect(answer.status).toBe(status);
    if (status === 200) expect(answer.body.toString()).toBe(document);
  });
});
