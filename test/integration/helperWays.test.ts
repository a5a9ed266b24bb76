// Grants without a token over the contract of a helper: what drivers are told, what is audited, and that an issuer is
// asked for keys only where the policy allows it.
import { readFile } from 'node:fs/promises';
import { createSign, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { NewWay, OpenedTunnel } from '../../src/protocol/control.ts';
import { aClient, anIssuer } from '../support/clientCertificates.ts';
import { aHelper, type HelperWorld } from '../support/helper.ts';
import { callHttp1, type Target } from '../support/agents.ts';
import { until } from '../support/until.ts';

type Told = { method: string; params: unknown };

async function world(): Promise<{ helper: HelperWorld; opened: OpenedTunnel; told: Told[]; target: Target }> {
  const helper = await aHelper();
  const told: Told[] = [];
  for (const method of ['grants/changed', 'tunnels/changed', 'traffic/changed', 'log', 'audit/head'] as const) {
    helper.peer.on(method, (params) => void told.push({ method, params }));
  }
  const opened = await helper.open();
  const { loopbackUrl = '', caFile = '', hostname = '' } = opened.tunnel;
  const target = { hostname, port: Number(new URL(loopbackUrl).port), ca: await readFile(caFile, 'utf8') };
  return { helper, opened, told, target };
}

const add = ({ peer }: HelperWorld, way: NewWay) =>
  peer.request('grants/addWay', { name: 'x', servers: ['*'], scope: {}, expiresMs: Date.now() + 60_000, way });

const ping = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"ping"}');

const call = (target: Target, path: string, headers: Record<string, string> = {}) =>
  callHttp1(target, {
    method: 'POST',
    path,
    body: ping,
    headers: {
      host: `${target.hostname}:${target.port}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
  });

describe('a helper', () => {
  it('tells the secret of a path once, to who asked for it', async () => {
    const { helper, told, target } = await world();
    const { path = '', grant } = await add(helper, { kind: 'path-secret' });
    const secret = /mcps_(\w+)/.exec(path)![1]!;
    // The server wants a session; it is the gateway that has let this one through to it.
    expect((await call(target, path, { referer: `https://x${path}` })).status).not.toBe(404);
    await helper.peer.request('grants/revoke', { id: grant.id });
    expect((await call(target, path)).status).toBe(404);
    await until(() => told.filter(({ method }) => method === 'grants/changed').length >= 2);
    const { rows } = await helper.peer.request('traffic/read', { after: 0, max: 100 });
    const details = await Promise.all(rows.map(({ id }) => helper.peer.request('traffic/get', { id })));
    expect(rows.length).toBeGreaterThan(1);
    const audit = await helper.audit();
    expect(JSON.stringify([told, details, audit, await helper.peer.request('tunnel/list', {})])).not.toContain(secret);
    expect(await readFile(helper.paths.grants, 'utf8')).not.toContain(secret);
    expect(audit).toContainEqual(expect.objectContaining({ kind: 'grant', event: 'added', way: 'path-secret' }));
  });

  it('lets an agent in by its certificate, and notes whose it is', async () => {
    const { helper, target } = await world();
    const issuer = anIssuer('Build CA');
    const { grant, path } = await add(helper, { kind: 'certificate', caPem: issuer.cert });
    expect(path).toBeUndefined();
    const tls = aClient(issuer, { cn: 'runner-7' });
    expect((await call({ ...target, tls }, '/mcp')).status).not.toBe(401);
    expect((await call(target, '/mcp')).status).toBe(401);
    const audit = await helper.audit();
    const { ca } = grant.way as { ca: string };
    expect(audit).toContainEqual(expect.objectContaining({ kind: 'grant', way: 'certificate', signedBy: ca }));
    expect(audit).toContainEqual(
      expect.objectContaining({
        kind: 'call',
        principal: expect.objectContaining({ grant: grant.id, subject: 'runner-7' }) as object,
      }),
    );
  });

  it('asks no issuer for keys that the policy does not name, and says which entry is missing', async () => {
    const { helper, told, target } = await world();
    const issuer = 'https://issuer.invalid';
    await add(helper, { kind: 'jwt', issuer, audience: 'a', jwks: `${issuer}/keys` });
    const authorization = `Bearer ${signed({ iss: issuer, aud: 'a', exp: Math.floor(Date.now() / 1000) + 60 })}`;
    expect((await call(target, '/mcp', { authorization })).status).toBe(401);
    const logged = (): string =>
      JSON.stringify(told.filter(({ method }) => method === 'log').map(({ params }) => params));
    await until(() => logged().includes('jwks'));
    expect(logged()).toMatch(/destinations in .+policy\.json has no entry .+service.+jwks.+host.+issuer\.invalid:443/);
    expect(logged()).not.toContain('ENOTFOUND');
  });
});

function signed(claims: object): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const parts = [{ alg: 'RS256', kid: 'x' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const text = parts.join('.');
  return `${text}.${createSign('sha256').update(text).sign(privateKey).toString('base64url')}`;
}
