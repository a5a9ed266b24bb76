// Agents that can be given a URL and nothing else: the secret in it is a credential, and is treated as one.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { NewGrant } from '../../src/identity/grants.ts';
import { mintToken, pathSecretPrefix } from '../../src/identity/token.ts';
import { callHttp1, callHttp2, connectAgent2, type Answer, type Call } from '../support/agents.ts';
import { FakeClock } from '../support/fakeClock.ts';
import { aGateway, authorityOf, request, resultOf, serverId, type GatewayWorld } from '../support/gateway.ts';

type World = GatewayWorld & { secret: string; id: string };

const answer = (sent: Parameters<typeof resultOf>[0]) => resultOf(sent, {});

async function world(more: Partial<NewGrant> = {}, options: Parameters<typeof aGateway>[0] = {}): Promise<World> {
  const gateway = await aGateway({ answer, ...options });
  const wanted = { name: 'webhook', servers: [serverId], scope: {}, expiresMs: Date.now() + 3_600_000, ...more };
  const { grant, secret = '' } = await gateway.grants.addWay(wanted, { kind: 'path-secret' });
  return { ...gateway, secret, id: grant.id };
}

const ping = Buffer.from(JSON.stringify(request('ping')));

function callAt({ target }: Pick<World, 'target'>, path: string, more: Call = {}): Promise<Answer> {
  const headers = { host: authorityOf(target), 'content-type': 'application/json', accept: 'application/json' };
  const { method = 'POST' } = more;
  const body = method === 'POST' ? { body: ping } : {};
  return callHttp1(target, { ...body, ...more, method, path, headers: { ...headers, ...more.headers } });
}

const aSecret = (): string => mintToken(randomBytes, pathSecretPrefix);

describe('a secret in the path', () => {
  it('lets its agent in over HTTP/1.1 and HTTP/2, by its own scope, and the server hears nothing of it', async () => {
    const gateway = await world({ scope: { methods: ['ping'] } });
    const path = `/s/${gateway.secret}/mcp`;
    expect((await callAt(gateway, path)).status).toBe(200);
    expect((await callAt(gateway, `${path}?a=1`)).status).toBe(200);
    const session = connectAgent2(gateway.target);
    const headers = { 'content-type': 'application/json', accept: 'application/json', 'x-original-url': path };
    expect((await callHttp2(session, { method: 'POST', path, headers, body: ping })).status).toBe(200);
    session.destroy();
    const listing = Buffer.from(JSON.stringify(request('tools/list')));
    expect(String((await callAt(gateway, path, { body: listing })).body)).toContain('-32010');
    expect((await callAt(gateway, path, { method: 'OPTIONS' })).status).toBe(204);
    expect((await callAt(gateway, path, { method: 'PUT' })).status).toBe(405);
    expect(gateway.upstream.heard).toHaveLength(3);
    expect(JSON.stringify(gateway.upstream.heard)).not.toContain(gateway.secret);
    const { principal } = gateway.audit.records.find(({ kind }) => kind === 'call')!;
    expect(principal).toMatchObject({ name: 'webhook', grant: gateway.id });
  });

  it('counts for nothing anywhere else, and a token counts for nothing in the path', async () => {
    const gateway = await world();
    const authorization = `Bearer ${gateway.secret}`;
    expect((await callAt(gateway, '/mcp', { headers: { authorization } })).status).toBe(401);
    expect((await callAt(gateway, `/mcp?s=${gateway.secret}`)).status).toBe(401);
    expect((await callAt(gateway, `/s/${gateway.token}/mcp`)).status).toBe(404);
    // Not even beside a token: the path is not there.
    const token = { headers: { authorization: `Bearer ${gateway.token}` } };
    expect((await callAt(gateway, `/s/${aSecret()}/mcp`, token)).status).toBe(404);
    expect(gateway.upstream.heard).toEqual([]);
  });

  it.each<[string, (secret: string) => string]>([
    ['in another case', (secret) => `/s/${secret.toUpperCase()}/mcp`],
    ['with its first letter encoded', (secret) => `/s/%6d${secret.slice(1)}/mcp`],
    ['behind a dot segment', (secret) => `/s/./${secret}/mcp`],
    ['behind a way up', (secret) => `/x/../s/${secret}/mcp`],
    ['behind two slashes', (secret) => `//s/${secret}/mcp`],
    ['before two slashes', (secret) => `/s/${secret}//mcp`],
    ['before another slash', (secret) => `/s/${secret}/mcp/`],
    ['before an encoded slash', (secret) => `/s/${secret}%2fmcp`],
    ['before another path', (secret) => `/s/${secret}/admin`],
    ['before nothing', (secret) => `/s/${secret}`],
    ['before the endpoint in another case', (secret) => `/s/${secret}/MCP`],
    ['in a path all in another case', (secret) => `/s/${secret}/mcp`.toUpperCase()],
    ['below another letter', (secret) => `/S/${secret}/mcp`],
    ['with a space after it', (secret) => `/s/${secret}%20/mcp`],
    ['with a semicolon after it', (secret) => `/s/${secret};x/mcp`],
    ['cut short', (secret) => `/s/${secret.slice(0, -1)}/mcp`],
    ['grown', (secret) => `/s/${secret}0/mcp`],
    ['twice', (secret) => `/s/${secret}/s/${secret}/mcp`],
  ])('%s is no path', async (_how, path) => {
    const gateway = await world();
    expect((await callAt(gateway, path(gateway.secret))).status).toBe(404);
    expect(gateway.upstream.heard).toEqual([]);
    expect(everything(gateway)).not.toContain(gateway.secret.slice(8, -1).toLowerCase());
  });

  it('that is wrong, expired, revoked or for another server is answered like any path that is not there', async () => {
    const clock = new FakeClock(Date.now());
    const gateway = await world({}, { clock });
    const add = async (more: Partial<NewGrant>): Promise<{ secret?: string; grant: { id: string } }> =>
      gateway.grants.addWay(
        { name: 'x', servers: [serverId], scope: {}, expiresMs: clock.now() + 3_600_000, ...more },
        { kind: 'path-secret' },
      );
    const [expired, revoked, other] = [
      await add({ expiresMs: clock.now() + 1_000 }),
      await add({}),
      await add({ servers: ['b'] }),
    ];
    clock.advance(2_000);
    await gateway.grants.revoke(revoked.grant.id);
    const nothing = await seen(callAt(gateway, '/nothing'));
    for (const secret of [aSecret(), 'x', expired.secret, revoked.secret, other.secret]) {
      for (const method of ['POST', 'GET', 'OPTIONS', 'PUT']) {
        const refused = await seen(callAt(gateway, `/s/${secret}/mcp`, { method }));
        expect(refused).toEqual(method === 'POST' ? nothing : await seen(callAt(gateway, '/nothing', { method })));
        clock.advance(60_000); // For the throttle.
      }
    }
    const whys = gateway.audit.records.filter(({ kind }) => kind === 'refused').map(({ why }) => why);
    expect(new Set(whys)).toEqual(new Set(['unknown', 'malformed', 'expired', 'revoked', 'other-server']));
  });

  it('is nothing that can be seen to be off or on', async () => {
    const off = await aGateway({ answer });
    const on = await world();
    for (let attempt = 0; attempt < 30; attempt += 1) {
      const path = `/s/${aSecret()}/mcp`;
      const [one, other] = [await seen(callAt(off, path)), await seen(callAt(on, path))];
      expect(one).toEqual(other);
    }
  });

  it('is good for its holder beside a thousand guesses from the same address', async () => {
    const gateway = await world();
    const statuses = new Set<number>();
    const session = connectAgent2(gateway.target);
    for (let round = 0; round < 10; round += 1) {
      const guesses = Array.from({ length: 100 }, () => callHttp2(session, { path: `/s/${aSecret()}/mcp` }));
      for (const { status } of await Promise.all(guesses)) statuses.add(status);
    }
    session.destroy();
    expect(statuses).toEqual(new Set([404, 429]));
    expect((await callAt(gateway, `/s/${gateway.secret}/mcp`)).status).toBe(200);
    expect(gateway.audit.records.filter(({ kind }) => kind === 'refused').length).toBeLessThan(50);
  });

  it('can be replaced: the old one is good for its overlap only', async () => {
    const clock = new FakeClock(Date.now());
    const gateway = await world({}, { clock });
    const { token } = await gateway.grants.rotate(gateway.id, 1_000);
    expect((await callAt(gateway, `/s/${token}/mcp`)).status).toBe(200);
    expect((await callAt(gateway, `/s/${gateway.secret}/mcp`)).status).toBe(200);
    clock.advance(1_001);
    expect((await callAt(gateway, `/s/${gateway.secret}/mcp`)).status).toBe(404);
    expect((await callAt(gateway, `/s/${token}/mcp`)).status).toBe(200);
  });

  it('stands in nothing that is recorded, wherever the agent says it', async () => {
    const gateway = await world({}, { policy: { audit: { values: true } } });
    const { secret } = gateway;
    const url = `https://${authorityOf(gateway.target)}/s/${secret}/mcp`;
    const headers = { referer: url, 'x-forwarded-uri': `/s/${secret}/mcp`, 'x-anything': encodeURIComponent(url) };
    const body = Buffer.from(JSON.stringify(request('tools/call', { name: 'echo', arguments: { url } })));
    expect((await callAt(gateway, `/s/${secret}/mcp?from=${encodeURIComponent(url)}`, { headers, body })).status).toBe(
      200,
    );
    await callAt(gateway, `/mcp?url=${encodeURIComponent(url)}`, { headers });
    await callAt(gateway, `/elsewhere?url=${encodeURIComponent(url)}`, { headers });
    await gateway.grants.revoke(gateway.id);
    expect((await callAt(gateway, `/s/${secret}/mcp`, { headers })).status).toBe(404);
    expect(everything(gateway)).toContain('tools/call');
    expect(everything(gateway)).not.toContain(secret.slice(8, -1).toLowerCase());
    expect(gateway.rows().map((row) => gateway.detail(row).path)[0]).toBe('/s/[redacted]/mcp');
  });
});

/** What a stranger can tell answers apart by. */
async function seen(answered: Promise<Answer>): Promise<object> {
  const { status, headers, body } = await answered;
  const { date: _date, ...told } = headers;
  return { status, told, body: String(body) };
}

/** All that is kept of what passed, without regard to case. */
function everything(gateway: GatewayWorld): string {
  const details = gateway.rows().map((row) => gateway.detail(row));
  return JSON.stringify([details, gateway.audit.records, gateway.log]).toLowerCase();
}
