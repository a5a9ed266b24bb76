// What the gateway refuses before it reads a body, in which order, and that the server never hears of any of it.
import { describe, expect, it, onTestFinished } from 'vitest';
import { callHttp1, callHttp2, connectAgent2, type Answer, type Call } from '../support/agents.ts';
import { FakeClock } from '../support/fakeClock.ts';
import {
  aGateway,
  authorityOf,
  hostname,
  mcpHeaders,
  post,
  request,
  resultOf,
  visitor,
  type GatewayWorld,
} from '../support/gateway.ts';
import { expectNothingLeft } from '../support/leaks.ts';

const list = JSON.stringify(request('tools/list'));

/** A POST that would be let through if nothing else were wrong with it. */
function send(world: GatewayWorld, more: Call): Promise<Answer> {
  return post(world, list, more);
}

describe('where a request arrives', () => {
  it.each([
    ['evil.example', 421],
    ['evil.example:443', 421],
    [`${hostname}.`, 421],
    [`${hostname}.evil.example`, 421],
    [`${hostname}@evil.example`, 421],
    ['[::2]', 421],
    [hostname, 200],
    [hostname.toUpperCase(), 200],
    [`${hostname}:65000`, 200],
    ['127.0.0.1:1', 200],
    ['[::1]:1', 200],
    ['localhost', 200],
  ])('Host “%s” is answered with %i', async (host, status) => {
    const world = await aGateway({ answer: (sent) => resultOf(sent, { tools: [] }) });
    const answer = await send(world, { headers: { host } });
    expect(answer.status).toBe(status);
    expect(world.upstream.heard).toHaveLength(status === 200 ? 1 : 0);
  });

  it.each([
    ['https://evil.example', 403],
    ['null', 403],
    ['', 403],
    ['http://localhost:3000', 403],
    ['https://localhost:3000', 403],
    [`http://${hostname}`, 403],
    [`https://${hostname}.evil.example`, 403],
    [`https://${hostname}@evil.example`, 403],
    ['vscode-webview://abc', 403],
    [`https://${hostname}:9999`, 200],
  ])('Origin “%s” is answered with %i', async (origin, status) => {
    const world = await aGateway({ answer: (sent) => resultOf(sent, { tools: [] }) });
    const answer = await send(world, { headers: { host: `${hostname}:9999`, origin } });
    expect(answer.status).toBe(status);
    expect(world.upstream.heard).toHaveLength(status === 200 ? 1 : 0);
  });

  it.each([
    '/',
    '/mcp/',
    '/MCP',
    '//mcp',
    '/mcp//',
    '/mcp%2f',
    '/%6dcp',
    '/mcp%00',
    '/./mcp',
    '/x/../mcp',
    '/mcp/..',
    '/mcp/../admin',
    '/mcp;x=1',
    '/mcp#x',
    '/sse',
    '/.well-known/oauth-protected-resource',
    'https://evil.example/mcp',
    '*',
  ])('%s is not found', async (path) => {
    const world = await aGateway();
    const answer = await send(world, { path });
    expect(answer.status).toBe(404);
    expect(world.upstream.heard).toEqual([]);
  });

  it('a query does not change which endpoint it is, and does not reach the server', async () => {
    const world = await aGateway({ answer: (sent) => resultOf(sent, { tools: [] }) });
    expect((await send(world, { path: '/mcp?x=/../admin' })).status).toBe(200);
    expect(JSON.stringify(world.upstream.heard)).not.toContain('admin');
  });

  it.each(['PUT', 'PATCH', 'HEAD', 'TRACE', 'PROPFIND'])('%s is no method of it', async (method) => {
    const world = await aGateway();
    const answer = await callHttp1(world.target, { method, path: '/mcp', headers: mcpHeaders(world.token) });
    expect(answer.status).toBe(405);
    expect(answer.headers['allow']).toBe('POST, GET, DELETE, OPTIONS');
    const session = connectAgent2(world.target);
    onTestFinished(() => session.destroy());
    if (method !== 'TRACE') {
      const second = await callHttp2(session, { method, path: '/mcp', headers: mcpHeaders(world.token) });
      expect([second.status, second.headers['allow']]).toEqual([405, 'POST, GET, DELETE, OPTIONS']);
    }
    expect(world.upstream.heard).toEqual([]);
  });

  it('OPTIONS is answered without a token, and opens the endpoint to no web page', async () => {
    const world = await aGateway();
    const answer = await callHttp1(world.target, { method: 'OPTIONS', path: '/mcp' });
    expect(answer.status).toBe(204);
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(world.upstream.heard).toEqual([]);
  });

  it('checks Host before Origin, Origin before path, path before method, method before token', async () => {
    const world = await aGateway();
    const wrong = { host: 'evil.example', origin: 'https://evil.example', authorization: 'Bearer x' };
    const { host: _host, ...noHost } = wrong;
    const { origin: _origin, ...noOrigin } = noHost;
    const statuses = [
      await callHttp1(world.target, { method: 'PUT', path: '/x', headers: wrong }),
      await callHttp1(world.target, { method: 'PUT', path: '/x', headers: noHost }),
      await callHttp1(world.target, { method: 'PUT', path: '/x', headers: noOrigin }),
      await callHttp1(world.target, { method: 'PUT', path: '/mcp', headers: noOrigin }),
      await callHttp1(world.target, { method: 'POST', path: '/mcp', headers: noOrigin, body: Buffer.from('no json') }),
    ].map(({ status }) => status);
    expect(statuses).toEqual([421, 403, 404, 405, 401]);
    expect(world.upstream.heard).toEqual([]);
  });

  it('names of two hosts in one HTTP/2 request are refused', async () => {
    const world = await aGateway();
    const session = connectAgent2(world.target);
    onTestFinished(() => session.destroy());
    const headers = { ...mcpHeaders(world.token), ':authority': authorityOf(world.target), host: 'evil.example' };
    const answer = await callHttp2(session, { method: 'POST', path: '/mcp', headers, body: Buffer.from(list) });
    expect(answer.status).toBe(421);
    expect(world.upstream.heard).toEqual([]);
  });
});

describe('who is let in', () => {
  it('answers every credential that is not good in the same words, over both HTTP versions', async () => {
    const clock = new FakeClock();
    const world = await aGateway({ clock });
    const expired = await world.grantFor({}, { name: 'expired', expiresMs: clock.now() + 1_000 });
    const revoked = await world.grantFor({}, { name: 'revoked' });
    const elsewhere = await world.grantFor({}, { name: 'elsewhere', servers: ['server-2'] });
    await world.grants.revoke(revoked.grant.id);
    clock.advance(2_000);
    const mistyped = `${world.token.slice(0, -1)}${world.token.endsWith('a') ? 'b' : 'a'}`;
    const headers = [
      undefined,
      '',
      'Bearer',
      `Bearer ${mistyped}`,
      `Basic ${world.token}`,
      world.token,
      `Bearer ${world.token} ${world.token}`,
      `Bearer ${expired.token}`,
      `Bearer ${revoked.token}`,
      `Bearer ${elsewhere.token}`,
    ];
    const session = connectAgent2(world.target);
    onTestFinished(() => session.destroy());
    const seen = new Set<string>();
    for (const authorization of headers) {
      clock.advance(60_000);
      const call: Call = {
        method: 'POST',
        path: '/mcp',
        headers: authorization === undefined ? {} : { authorization },
        body: Buffer.from(list),
      };
      for (const answer of [await callHttp1(world.target, call), await callHttp2(session, call)]) {
        expect(answer.status).toBe(401);
        expect(answer.headers['www-authenticate']).toBe('Bearer realm="mcp-tunnel"');
        seen.add(answer.body.toString());
      }
    }
    expect([...seen]).toHaveLength(1);
    expect(world.upstream.heard).toEqual([]);
    const whys = world.audit.records.map(({ why }) => why);
    expect(new Set(whys)).toEqual(new Set(['missing', 'malformed', 'expired', 'revoked', 'other-server']));
    expect(world.audit.text).not.toContain('mcpt_');
  });

  it('slows 1,000 guesses down, and lets the holder of a token in from the same address', async () => {
    expectNothingLeft();
    const world = await aGateway({ clock: new FakeClock(), answer: (sent) => resultOf(sent, { tools: [] }) });
    const session = connectAgent2(world.target);
    onTestFinished(() => session.destroy());
    const counts = new Map<number, number>();
    for (let guess = 0; guess < 1000; guess += 1) {
      const { status, headers } = await callHttp2(session, {
        method: 'POST',
        path: '/mcp',
        headers: { authorization: `Bearer mcpt_${guess}` },
      });
      counts.set(status, (counts.get(status) ?? 0) + 1);
      if (status === 429) expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(counts).toEqual(
      new Map([
        [401, 20],
        [429, 980],
      ]),
    );
    expect(world.upstream.heard).toEqual([]);
    // What strangers do must not fill the disk.
    expect(world.audit.records).toHaveLength(20);
    expect(world.audit.records[0]).toMatchObject({ kind: 'refused', visitor, why: 'malformed' });
    expect((await post(world, list)).status).toBe(200);
    expect(world.upstream.heard).toHaveLength(1);
  });

  it('an agent over its limit hears which one, and gets in again later', async () => {
    const clock = new FakeClock();
    const limits = { requestsPerMinute: 2 };
    const world = await aGateway({ clock, policy: { limits }, answer: (sent) => resultOf(sent, { tools: [] }) });
    const statuses = [];
    for (let call = 0; call < 3; call += 1) statuses.push((await post(world, list)).status);
    expect(statuses).toEqual([200, 200, 429]);
    expect(world.upstream.heard).toHaveLength(2);
    expect(world.rows().at(-1)).toMatchObject({ status: 'denied', httpStatus: 429, rpcCode: -32012 });
    clock.advance(30_000);
    expect((await post(world, list)).status).toBe(200);
  });
});
