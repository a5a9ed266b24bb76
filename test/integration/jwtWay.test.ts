// Agents that come by a JWT of a named issuer, which is a real HTTPS server: what it must have signed, and what strangers
// can and cannot make us do.
import { createHmac } from 'node:crypto';
import { base64url, CompactSign, exportJWK, exportSPKI, generateKeyPair, importJWK, type JWTPayload } from 'jose';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/core/clock.ts';
import { cooldownMs, freshMs, IssuerKeys, maxKeys, staleMs } from '../../src/identity/jwt/issuerKeys.ts';
import { toleranceS } from '../../src/identity/jwt/verifyJwt.ts';
import type { JwtTerms } from '../../src/identity/way.ts';
import { callHttp1, type Answer } from '../support/agents.ts';
import { FakeClock } from '../support/fakeClock.ts';
import {
  aGateway,
  authorityOf,
  bodyOf,
  mcpHeaders,
  request,
  resultOf,
  serverId,
  sse,
  type GatewayWorld,
  type GatewayWorldOptions,
} from '../support/gateway.ts';
import { anIssuer, audience, type TestIssuer } from '../support/issuer.ts';
import { until } from '../support/until.ts';

type World = GatewayWorld & {
  issuer: TestIssuer;
  id: string;
  clock: FakeClock;
  log: string[];
  denied: { why?: string };
};

const answer = (sent: Parameters<typeof resultOf>[0]) => resultOf(sent, {});

async function world(
  terms: Partial<JwtTerms> = {},
  options: GatewayWorldOptions & { clock?: Clock } = {},
): Promise<World> {
  const clock = new FakeClock(Date.now());
  const issuer = await anIssuer(() => clock.now());
  const denied: { why?: string } = {};
  const log: string[] = [];
  const mayFetch = (): string | undefined => denied.why;
  const issuerKeys = new IssuerKeys({ clock, mayFetch, fetching: issuer.fetching, log: (text) => void log.push(text) });
  const gateway = await aGateway({ answer, clock, more: { issuerKeys }, ...options });
  const { grant } = await gateway.grants.addWay(
    { name: 'ci', servers: [serverId], scope: {}, expiresMs: clock.now() + 86_400_000 },
    { kind: 'jwt', issuer: issuer.url, audience, jwks: issuer.jwks, ...terms },
  );
  return { ...gateway, issuer, id: grant.id, clock, log, denied };
}

const ping = Buffer.from(JSON.stringify(request('ping')));

async function callWith({ target }: World, token: string): Promise<Answer> {
  return callHttp1(target, {
    method: 'POST',
    path: '/mcp',
    headers: { ...mcpHeaders(token), host: authorityOf(target) },
    body: ping,
  });
}

const statusWith = async (gateway: World, token: string): Promise<number> => (await callWith(gateway, token)).status;

describe('a JWT of the named issuer', () => {
  it.each(['RS256', 'PS256', 'ES256', 'EdDSA'])('that it signed by %s lets its holder in', async (alg) => {
    const gateway = await world();
    expect(await statusWith(gateway, await gateway.issuer.sign({}, { alg }))).toBe(200);
    expect(gateway.audit.records.find(({ kind }) => kind === 'call')!['principal']).toMatchObject({
      name: 'ci',
      grant: gateway.id,
      subject: 'repo:acme/app',
    });
  });

  it('is checked with the keys that the issuer’s metadata leads to', async () => {
    const gateway = await world();
    await gateway.grants.addWay(
      { name: 'found', servers: [serverId], scope: {}, expiresMs: gateway.clock.now() + 86_400_000 },
      { kind: 'jwt', issuer: gateway.issuer.url, audience: 'other' },
    );
    const token = await gateway.issuer.sign({ aud: ['x', 'other'] });
    expect(await statusWith(gateway, token)).toBe(200);
    expect(gateway.issuer.asked).toEqual(['/.well-known/openid-configuration', '/keys']);
    expect(await statusWith(gateway, token)).toBe(200);
    expect(gateway.issuer.asked).toHaveLength(2);
  });

  it('has the claims that the grant asks for, each with just that value', async () => {
    const gateway = await world({ claims: { repository: 'acme/app', run: '7' } });
    const { sign } = gateway.issuer;
    expect(await statusWith(gateway, await sign({ repository: 'acme/app', run: 7 }))).toBe(200);
    expect(await statusWith(gateway, await sign({ repository: ['x', 'acme/app'], run: '7' }))).toBe(200);
    for (const claims of [
      {},
      { repository: 'acme/app' },
      { repository: 'acme/App', run: 7 },
      { repository: 'acme/app', run: '70' },
      { repository: { 0: 'acme/app' }, run: 7 },
    ]) {
      expect(await statusWith(gateway, await sign(claims))).toBe(401);
    }
  });

  it('may come a little early or late, and no more', async () => {
    const gateway = await world();
    const now = Math.floor(gateway.clock.now() / 1000);
    const { sign } = gateway.issuer;
    expect(await statusWith(gateway, await sign({ nbf: now + toleranceS - 2 }))).toBe(200);
    expect(await statusWith(gateway, await sign({ exp: now - toleranceS + 2 }))).toBe(200);
    expect(await statusWith(gateway, await sign({ nbf: now + toleranceS + 2 }))).toBe(401);
    expect(await statusWith(gateway, await sign({ exp: now - toleranceS - 2 }))).toBe(401);
    expect(gateway.audit.records.at(-1)).toMatchObject({ kind: 'refused', why: 'expired' });
    expect(await statusWith(gateway, await sign({ exp: undefined }))).toBe(401);
  });

  it('ends what it opened when it expires, and when its grant is revoked', async () => {
    const gateway = await world({}, { answer: () => sse(bodyOf(never())) });
    const open = async (token: string): Promise<Answer> =>
      callHttp1(gateway.target, { path: '/mcp', headers: { ...mcpHeaders(token), host: authorityOf(gateway.target) } });
    const expiring = open(await gateway.issuer.sign());
    const ended = expect(expiring).rejects.toThrow();
    await until(() => gateway.upstream.heard.length === 1);
    gateway.clock.advance((600 + toleranceS) * 1000);
    await ended;

    const revoked = expect(open(await gateway.issuer.sign())).rejects.toThrow();
    await until(() => gateway.upstream.heard.length === 2);
    await gateway.grants.revoke(gateway.id);
    await revoked;
    expect(await statusWith(gateway, await gateway.issuer.sign())).toBe(401);
  });

  it('lets nobody in whose grant was revoked while the keys were being fetched', async () => {
    let arrived = false;
    let go: () => void = () => {};
    const held = new Promise<void>((resolve) => (go = resolve));
    const gateway = await world();
    const { fetching } = gateway.issuer;
    const resolve = fetching.resolve!;
    fetching.resolve = async (host) => ((arrived = true), await held, resolve(host));
    const answered = callWith(gateway, await gateway.issuer.sign());
    await until(() => arrived);
    await gateway.grants.revoke(gateway.id);
    go();
    expect((await answered).status).toBe(401);
    expect(gateway.upstream.heard).toEqual([]);
  });
});

describe('no other token lets anybody in', () => {
  const sections = (...parts: (object | string)[]): string =>
    parts.map((part) => (typeof part === 'string' ? part : base64url.encode(JSON.stringify(part)))).join('.');
  const claims = ({ issuer, clock }: World): JWTPayload => ({
    iss: issuer.url,
    aud: audience,
    sub: 'x',
    exp: Math.floor(clock.now() / 1000) + 600,
  });

  it.each<[string, (gateway: World) => Promise<string> | string]>([
    ['alg none', (gateway) => sections({ alg: 'none' }, claims(gateway), '')],
    ['alg None with a key id', (gateway) => sections({ alg: 'None', kid: 'ES256' }, claims(gateway), '')],
    [
      'HS256 with the public key as its secret',
      async (gateway) => {
        const pem = await exportSPKI((await importJWK(gateway.issuer.keys['RS256']!.jwk, 'RS256')) as never);
        const signed = sections({ alg: 'HS256', kid: 'RS256' }, claims(gateway));
        return `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`;
      },
    ],
    [
      'HS256 with the set of keys as its secret',
      (gateway) => {
        const signed = sections({ alg: 'HS256' }, claims(gateway));
        const secret = gateway.issuer.pages.get('/keys')!.body;
        return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
      },
    ],
    [
      'a key that the token brings along',
      async (gateway) => {
        const { privateKey, publicKey } = await generateKeyPair('ES256');
        const header = { alg: 'ES256', jwk: await exportJWK(publicKey) };
        return new CompactSign(Buffer.from(JSON.stringify(claims(gateway))))
          .setProtectedHeader(header)
          .sign(privateKey);
      },
    ],
    [
      'a place of keys that the token names',
      async (gateway) => {
        const header = { alg: 'ES256', kid: 'mine', jku: 'https://169.254.169.254/keys', x5u: 'https://127.0.0.1/' };
        return foreign(gateway, header);
      },
    ],
    ['another issuer’s signature under the same key id', (gateway) => foreign(gateway, { alg: 'ES256', kid: 'ES256' })],
    ['a key id that is a path', (gateway) => foreign(gateway, { alg: 'ES256', kid: '../../../../dev/null' })],
    ['a key id of an object’s own', (gateway) => foreign(gateway, { alg: 'ES256', kid: '__proto__' })],
    [
      'another algorithm than the key’s',
      async (gateway) => {
        const [, payload, signature] = (await gateway.issuer.sign({}, { alg: 'RS256' })).split('.');
        return sections({ alg: 'PS256', kid: 'RS256' }, payload!, signature!);
      },
    ],
    [
      'a header that must be understood',
      async (gateway) => {
        const key = gateway.issuer.keys['ES256']!.privateKey;
        const header = { alg: 'ES256', kid: 'ES256', crit: ['x'], x: 1 };
        return new CompactSign(Buffer.from(JSON.stringify(claims(gateway))))
          .setProtectedHeader(header)
          .sign(key, { crit: { x: true } });
      },
    ],
    [
      'other claims than were signed',
      async (gateway) => {
        const [header, , signature] = (await gateway.issuer.sign()).split('.');
        return sections(header!, { ...claims(gateway), sub: 'admin' }, signature!);
      },
    ],
    ['half a signature', async (gateway) => (await gateway.issuer.sign()).slice(0, -20)],
    ['no signature', async (gateway) => `${(await gateway.issuer.sign()).split('.').slice(0, 2).join('.')}.`],
    ['another issuer in it', (gateway) => gateway.issuer.sign({ iss: `${gateway.issuer.url}/` })],
    ['no issuer', (gateway) => gateway.issuer.sign({ iss: undefined })],
    ['another audience', (gateway) => gateway.issuer.sign({ aud: `${audience}/` })],
    ['no audience', (gateway) => gateway.issuer.sign({ aud: undefined })],
    ['a name that has no end', (gateway) => gateway.issuer.sign({ sub: 'x'.repeat(256) })],
    ['a name with something in it that nobody sees', (gateway) => gateway.issuer.sign({ sub: 'admin\u200b' })],
    ['a name that is none', (gateway) => gateway.issuer.sign({ sub: { toString: 'x' } as never })],
  ])('with %s', async (_what, made) => {
    const gateway = await world();
    const token = await made(gateway);
    const { status, body } = await callWith(gateway, token);
    expect([status, String(body)]).toEqual([
      401,
      expect.stringContaining('a valid bearer token of this tunnel is needed'),
    ]);
    expect(gateway.upstream.heard).toEqual([]);
    expect(await statusWith(gateway, await gateway.issuer.sign())).toBe(200); // It was the token.
  });

  it('and one of a grant for another server, or that ended, does not', async () => {
    const gateway = await world();
    await gateway.grants.change(gateway.id, { scope: { servers: ['another'] } });
    expect(await statusWith(gateway, await gateway.issuer.sign())).toBe(401);
    expect(gateway.issuer.asked).toEqual([]);
  });

  async function foreign(gateway: World, header: { alg: string; kid?: string }): Promise<string> {
    const { privateKey } = await generateKeyPair('ES256');
    return new CompactSign(Buffer.from(JSON.stringify(claims(gateway)))).setProtectedHeader(header).sign(privateKey);
  }
});

describe('the issuer’s keys', () => {
  it('are fetched once for a thousand guesses, and a holder at the same address gets in', async () => {
    const gateway = await world();
    const statuses = new Set<number>();
    for (let round = 0; round < 20; round += 1) {
      const guess = async (_: unknown, index: number): Promise<number> =>
        statusWith(gateway, await gateway.issuer.sign({}, { alg: 'ES256', kid: `guess-${round}-${index}` }));
      for (const status of await Promise.all(Array.from({ length: 50 }, guess))) statuses.add(status);
    }
    expect(statuses).toEqual(new Set([401, 429]));
    expect(gateway.issuer.asked.length).toBeLessThanOrEqual(2);
    expect(await statusWith(gateway, await gateway.issuer.sign())).toBe(200);
  });

  it('are fetched anew for an unknown key id after a while, and when they are old', async () => {
    const gateway = await world();
    const { issuer, clock } = gateway;
    expect(await statusWith(gateway, await issuer.sign())).toBe(200);
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    issuer.keys['ES256'] = { privateKey, jwk: { ...(await exportJWK(publicKey)), kid: 'next', alg: 'ES256' } };
    const token = await issuer.sign({}, { alg: 'ES256', kid: 'next' });
    issuer.pages.set('/keys', { body: JSON.stringify({ keys: [issuer.keys['ES256'].jwk] }) });
    expect(await statusWith(gateway, token)).toBe(401);
    clock.advance(cooldownMs);
    expect(await statusWith(gateway, token)).toBe(200);
    expect(issuer.asked).toHaveLength(2);
    clock.advance(freshMs);
    expect(await statusWith(gateway, await issuer.sign({}, { alg: 'ES256', kid: 'next' }))).toBe(200);
    expect(issuer.asked).toHaveLength(3);
  });

  it('are believed for a while when the issuer cannot be reached, and no longer', async () => {
    const gateway = await world();
    expect(await statusWith(gateway, await gateway.issuer.sign())).toBe(200);
    gateway.issuer.pages.set('/keys', { status: 500, body: '' });
    gateway.clock.advance(staleMs - 1_000);
    expect(await statusWith(gateway, await gateway.issuer.sign())).toBe(200);
    gateway.clock.advance(1_000);
    expect(await statusWith(gateway, await gateway.issuer.sign())).toBe(401);
    expect(gateway.log.join()).toContain('answered 500');
  });

  it('are not believed any more once the policy does not allow them, and not asked for', async () => {
    const gateway = await world();
    expect(await statusWith(gateway, await gateway.issuer.sign())).toBe(200);
    gateway.denied.why = 'no entry for it';
    expect(await statusWith(gateway, await gateway.issuer.sign())).toBe(401);
    gateway.clock.advance(freshMs);
    expect(await statusWith(gateway, await gateway.issuer.sign())).toBe(401);
    expect(gateway.issuer.asked).toHaveLength(1);
    expect(gateway.log.join()).toContain('no entry for it');
  });

  it.each<[string, (issuer: TestIssuer) => { status?: number; headers?: Record<string, string>; body: string }]>([
    [
      'too many',
      ({ keys }) => ({ body: JSON.stringify({ keys: Array.from({ length: maxKeys + 1 }, () => keys['EdDSA']!.jwk) }) }),
    ],
    [
      'a thousand',
      ({ keys }) => ({ body: JSON.stringify({ keys: Array.from({ length: 1_000 }, () => keys['RS256']!.jwk) }) }),
    ],
    ['not JSON', () => ({ body: '<html>' })],
    ['not a set', () => ({ body: '[]' })],
    ['a list that is none', () => ({ body: '{"keys":{"length":1}}' })],
    ['nothing', () => ({ body: '' })],
    ['elsewhere', ({ url }) => ({ status: 302, headers: { location: `${url}/moved` }, body: '' })],
    ['a shared secret', () => ({ body: JSON.stringify({ keys: [{ kty: 'oct', kid: 'ES256', k: 'c2VjcmV0' }] }) })],
  ])('that are %s let nobody in', async (_what, page) => {
    const gateway = await world();
    gateway.issuer.pages.set('/moved', gateway.issuer.pages.get('/keys')!);
    gateway.issuer.pages.set('/keys', page(gateway.issuer));
    expect(await statusWith(gateway, await gateway.issuer.sign())).toBe(401);
    expect(gateway.issuer.asked).toEqual(['/keys']);
  });

  it.each(['127.0.0.1', '169.254.169.254', '10.1.2.3', '::1', 'fe80::1'])(
    'are not fetched from %s',
    async (address) => {
      const gateway = await world();
      gateway.issuer.fetching.resolve = async () => [address];
      delete gateway.issuer.fetching.isPublic;
      expect(await statusWith(gateway, await gateway.issuer.sign())).toBe(401);
      expect(gateway.issuer.asked).toEqual([]);
      expect(gateway.log.join()).toContain('not public');
    },
  );

  it.each<[string, (issuer: TestIssuer) => object]>([
    ['names another issuer', ({ jwks }) => ({ issuer: 'https://other.example', jwks_uri: jwks })],
    ['names itself a little differently', ({ url, jwks }) => ({ issuer: `${url}/`, jwks_uri: jwks })],
    ['leads to this machine', ({ url }) => ({ issuer: url, jwks_uri: 'https://127.0.0.1/keys' })],
    ['leads out of TLS', ({ url, jwks }) => ({ issuer: url, jwks_uri: jwks.replace('https', 'http') })],
    ['leads nowhere', ({ url }) => ({ issuer: url })],
  ])('are not found by metadata that %s', async (_what, metadata) => {
    const gateway = await world({ jwks: undefined as never });
    const { issuer } = gateway;
    issuer.pages.set('/.well-known/openid-configuration', { body: JSON.stringify(metadata(issuer)) });
    expect(await statusWith(gateway, await issuer.sign())).toBe(401);
    expect(issuer.asked).toEqual(['/.well-known/openid-configuration']);
  });
});

async function* never(): AsyncGenerator<Buffer> {
  yield Buffer.from('data: {}\n\n');
  await new Promise(() => {});
}
