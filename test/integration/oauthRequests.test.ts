// Requests that mean somebody else are sent nowhere, and a stranger has no way to the developer's attention.
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { requestsPerMinute } from '../../src/identity/oauth/oauthDoor.ts';
import { callHttp1 } from '../support/agents.ts';
import { approve, Browser, call, callback, numberOn, postForm } from '../support/oauth.ts';
import { authorizeUrl, exchange, register, tunnelWorld, type OAuthWorld } from '../support/oauthRaw.ts';
import { until } from '../support/until.ts';

describe('a request to be let in', () => {
  const open = async ({ tunnel }: OAuthWorld): Promise<void> => {
    await tunnel.peer.request('pair/open', { tunnel: tunnel.id });
  };

  it('that wants its code where the client never registered is sent nowhere', async () => {
    const world = await tunnelWorld();
    const { tunnel } = world;
    await open(world);
    const clientId = await register(tunnel);
    for (const redirect_uri of [
      'https://evil.example/cb',
      `${callback}/../x`,
      `${callback}?x`,
      'http://127.0.0.1:43210@evil.example/callback',
      'http://localhost:43210/callback',
      '//evil.example',
      'javascript:alert(1)',
      undefined,
    ]) {
      const page = await new Browser(tunnel).go(authorizeUrl(tunnel, clientId, { redirect_uri }));
      expect({ status: page.status, left: page.left }, redirect_uri).toEqual({ status: 400, left: undefined });
      expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    }
    expect(world.world.tunnels().find(({ id }) => id === tunnel.id)?.pairing?.pending).toBeUndefined();
  });

  it('of a client that nobody knows is sent nowhere', async () => {
    const world = await tunnelWorld();
    await open(world);
    const page = await new Browser(world.tunnel).go(authorizeUrl(world.tunnel, 'no-such-client'));
    expect(page.status).toBe(400);
    expect(page.left).toBeUndefined();
  });

  it.each([
    ['without a challenge', { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
    ['with a plain challenge', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['that leaves out how it was made', { code_challenge_method: undefined }, 'invalid_request'],
    ['with a challenge that is none', { code_challenge: 'short' }, 'invalid_request'],
    ['for a token instead of a code', { response_type: 'token' }, 'invalid_request'],
    ['for both', { response_type: 'code id_token' }, 'invalid_request'],
    ['that wants its code in the fragment', { response_mode: 'fragment' }, 'unsupported_response_mode'],
    ['that wants its code in a form', { response_mode: 'form_post' }, 'unsupported_response_mode'],
    ['for another resource', { resource: 'https://other.example/mcp' }, 'invalid_target'],
    ['for the resource with a slash more', { resource: 'SLASH' }, 'invalid_target'],
    ['by reference', { request_uri: 'https://evil.example/request' }, 'request_uri_not_supported'],
    ['that nobody is to see', { prompt: 'none' }, 'consent_required'],
  ])('%s is answered with an error and our name', async (_what, change, error) => {
    const world = await tunnelWorld();
    const { tunnel } = world;
    await open(world);
    const fixed = 'resource' in change && change.resource === 'SLASH' ? { resource: `${tunnel.url}/` } : change;
    const { left, html } = await new Browser(tunnel).go(authorizeUrl(tunnel, await register(tunnel), fixed));
    expect(left?.href, html).toMatch(callback);
    const told = new URLSearchParams(left!.search || left!.hash.slice(1));
    expect(Object.fromEntries(told)).toMatchObject({ error, state: 's', iss: tunnel.origin });
    expect(told.has('code')).toBe(false);
  });

  it('asks for this tunnel when it does not say for what, as old clients do', async () => {
    const { tunnel } = await tunnelWorld();
    const clientId = await register(tunnel);
    const left = await approve(tunnel, authorizeUrl(tunnel, clientId, { resource: undefined, scope: undefined }));
    expect(left.searchParams.get('iss')).toBe(tunnel.origin);
    const { body } = await exchange(tunnel, clientId, left.searchParams.get('code')!);
    expect((await call(tunnel, body['access_token'] as string)).status).toBe(200);
  });

  it('is led on under our own name, whatever port its Host says', async () => {
    const world = await tunnelWorld();
    const { tunnel } = world;
    await open(world);
    const { url = '', caFile = '' } = tunnel.opened.tunnel;
    const target = { hostname: 'localhost', port: Number(new URL(url).port), ca: await readFile(caFile, 'utf8') };
    const asked = authorizeUrl(tunnel, await register(tunnel), { resource: undefined });
    const get = (path: string, cookie: string) =>
      callHttp1(target, { path, headers: { host: '127.0.0.1:1', 'x-forwarded-host': 'evil.example', cookie } });
    const first = await get(`${asked.pathname}${asked.search}`, '');
    const cookie = (first.headers['set-cookie'] as string[]).map((line) => line.split(';')[0]).join('; ');
    const page = String(first.headers['location']);
    expect((await get('/pair/another-request', cookie)).status, 'the cookie of this one opens no other').toBe(400);
    const number = numberOn((await get(page, cookie)).body.toString());
    await tunnel.peer.request('pair/answer', { tunnel: tunnel.id, number, scope: {}, expiresMs: Date.now() + 60_000 });
    const resumed = await get(page, cookie);
    expect(resumed.headers['location']).toMatch(new RegExp(`^${new URL(url).origin}/authorize/`));
  });

  it('names two redirect addresses and gets to neither', async () => {
    const world = await tunnelWorld();
    await open(world);
    const url = authorizeUrl(world.tunnel, await register(world.tunnel));
    url.searchParams.append('redirect_uri', 'https://evil.example/');
    const page = await new Browser(world.tunnel).go(url);
    expect(page.left?.origin).not.toBe('https://evil.example');
    expect(page.left?.searchParams.has('code') ?? false).toBe(false);
  });
});

describe('the developer’s attention', () => {
  it('is not had while pairing is closed: the page says whom to ask, and the attempt is counted', async () => {
    const { world, tunnel } = await tunnelWorld();
    let prompts = 0;
    world.peer.on('pair/pending', () => void (prompts += 1));
    const url = authorizeUrl(tunnel, await register(tunnel));
    for (let at = 0; at < 3; at += 1) {
      const page = await new Browser(tunnel).go(url);
      expect(page).toMatchObject({ status: 403 });
      expect(page.html).toContain('Ask the developer');
      expect(page.headers.getSetCookie()).toEqual([]);
    }
    await until(() => world.tunnels().find(({ id }) => id === tunnel.id)?.pairAttempts === 3);
    expect(prompts).toBe(0);
  });

  it('belongs to one at a time, and the number on another page is never the one to type', async () => {
    const { world, tunnel } = await tunnelWorld();
    await world.peer.request('pair/open', { tunnel: tunnel.id });
    const clientId = await register(tunnel);
    const first = new Browser(tunnel);
    const waiting = await first.go(authorizeUrl(tunnel, clientId));
    const second = new Browser(tunnel);
    const busy = await second.go(authorizeUrl(tunnel, clientId));
    expect(busy).toMatchObject({ status: 409 });
    expect(busy.html).not.toContain('id="number"');
    expect((await second.go(waiting.url)).status, 'another browser at the same address').toBe(400);

    const number = numberOn(waiting.html);
    await world.peer.request('pair/answer', { tunnel: tunnel.id, number, scope: {}, expiresMs: Date.now() + 60_000 });
    expect((await second.go(waiting.url)).status, 'nor does it collect what was granted').toBe(400);
    expect((await first.go(waiting.url)).left?.searchParams.get('code')).toBeTruthy();
  });

  it('is had three times for wrong numbers, then the agent hears no', async () => {
    const { world, tunnel } = await tunnelWorld();
    await world.peer.request('pair/open', { tunnel: tunnel.id });
    const browser = new Browser(tunnel);
    const waiting = await browser.go(authorizeUrl(tunnel, await register(tunnel)));
    const right = numberOn(waiting.html);
    const wrong = String((Number(right) + 1) % 1_000_000).padStart(6, '0');
    const answer = { tunnel: tunnel.id, scope: {}, expiresMs: Date.now() + 60_000 };
    for (const triesLeft of [2, 1, 0]) {
      await expect(world.peer.request('pair/answer', { ...answer, number: wrong })).rejects.toMatchObject({
        code: 'CONFLICT',
        data: { triesLeft },
      });
    }
    await expect(world.peer.request('pair/answer', { ...answer, number: right })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    const { left } = await browser.go(waiting.url);
    expect(Object.fromEntries(left!.searchParams)).toMatchObject({ error: 'access_denied', iss: tunnel.origin });
    const { grants } = await world.peer.request('grants/list', {});
    expect(grants.filter(({ paired }) => paired)).toEqual([]);
  });

  it('is asked again for a second client in the same browser, and for the same one again', async () => {
    const { world, tunnel } = await tunnelWorld();
    const browser = new Browser(tunnel);
    const one = await register(tunnel);
    for (const clientId of [one, await register(tunnel), one]) {
      await world.peer.request('pair/open', { tunnel: tunnel.id });
      const waiting = await browser.go(authorizeUrl(tunnel, clientId));
      const number = numberOn(waiting.html);
      await world.peer.request('pair/answer', { tunnel: tunnel.id, number, scope: {}, expiresMs: Date.now() + 60_000 });
      expect((await browser.go(waiting.url)).left?.searchParams.get('code')).toBeTruthy();
    }
    const { grants } = await world.peer.request('grants/list', {});
    expect(grants.filter(({ paired }) => paired)).toHaveLength(3);
  });

  it('is not needed twice for one yes: the page cannot be collected again', async () => {
    const { tunnel } = await tunnelWorld();
    const clientId = await register(tunnel);
    await tunnel.peer.request('pair/open', { tunnel: tunnel.id });
    const browser = new Browser(tunnel);
    const waiting = await browser.go(authorizeUrl(tunnel, clientId));
    const number = numberOn(waiting.html);
    const answer = { tunnel: tunnel.id, number, scope: {}, expiresMs: Date.now() + 60_000 };
    await tunnel.peer.request('pair/answer', answer);
    expect((await browser.go(waiting.url)).left?.searchParams.get('code')).toBeTruthy();
    const again = await browser.go(waiting.url);
    expect({ left: again.left, status: again.status }).toEqual({ left: undefined, status: 400 });
  });
});

describe('the endpoints', () => {
  it('are at their paths, to the letter, and nothing else of an authorization server is there', async () => {
    const { tunnel } = await tunnelWorld();
    const { host, port } = new URL(tunnel.origin);
    const target = {
      hostname: 'localhost',
      port: Number(port),
      ca: await readFile(tunnel.opened.tunnel.caFile!, 'utf8'),
    };
    for (const [path, method, status] of [
      ['/authorize', 'POST', 405],
      ['/token', 'GET', 405],
      ['/register', 'GET', 405],
      ['/register/some-client', 'GET', 404],
      ['/.well-known/oauth-authorization-server', 'POST', 405],
      ['/TOKEN', 'POST', 404],
      ['/token/', 'POST', 404],
      ['//token', 'POST', 404],
      ['/x/../token', 'POST', 404],
      ['/%74oken', 'POST', 404],
      ['/me', 'GET', 404],
      ['/session/end', 'GET', 404],
      ['/session/end/confirm', 'POST', 404],
      ['/token/introspection', 'POST', 404],
      ['/request', 'POST', 404],
      ['/interaction/x', 'GET', 404],
      ['/pair/x', 'GET', 400],
      ['/authorize/x', 'GET', 400],
    ] as const) {
      // As it stands: `fetch` would tidy the path up.
      const answer = await callHttp1(target, { path, method, headers: { host } });
      expect(answer.status, `${method} ${path}`).toBe(status);
    }
  });

  it('are refused to pages of other origins', async () => {
    const { tunnel } = await tunnelWorld();
    for (const path of ['/token', '/register', '/revoke']) {
      const answer = await tunnel.fetch(tunnel.origin + path, {
        method: 'POST',
        headers: { origin: 'https://evil.example', 'content-type': 'application/json' },
        body: '{}',
      });
      expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([403, null]);
      await answer.body?.cancel();
    }
  });

  it('register nobody whose words they do not understand', async () => {
    const { tunnel } = await tunnelWorld();
    for (const [body, type] of [
      ['{', 'application/json'],
      ['[]', 'application/json'],
      ['null', 'application/json'],
      ['{}', 'application/json'],
      ['{"redirect_uris":[]}', 'application/json'],
      ['{"redirect_uris":["javascript:alert(1)"]}', 'application/json'],
      ['{"redirect_uris":["http://evil.example/"]}', 'application/json'],
      ['{"redirect_uris":"https://example.com"}', 'application/json'],
      ['{"redirect_uris":["https://example.com"],"response_types":["token"]}', 'application/json'],
      ['{"redirect_uris":["https://example.com"],"token_endpoint_auth_method":"private_key_jwt"}', 'application/json'],
      ['redirect_uris=https://example.com', 'application/x-www-form-urlencoded'],
      [`{"redirect_uris":["https://example.com"],"x":"${'x'.repeat(60_000)}"}`, 'application/json'],
    ] as const) {
      const headers = { 'content-type': type };
      const answer = await tunnel.fetch(`${tunnel.origin}/register`, { method: 'POST', headers, body });
      expect([answer.status, answer.headers.get('cache-control')], body.slice(0, 80)).toEqual([400, 'no-store']);
      expect(await answer.json()).toHaveProperty('error');
    }
  });

  it('are not a stranger’s to keep busy', async () => {
    const { tunnel } = await tunnelWorld();
    const statuses: number[] = [];
    for (let at = 0; at <= requestsPerMinute; at += 1) {
      const answer = await tunnel.fetch(`${tunnel.origin}/authorize?client_id=x`);
      statuses.push(answer.status);
      await answer.body?.cancel();
    }
    expect([statuses[0], statuses.at(-1)]).toEqual([403, 429]);
    const agent = await tunnel.fetch(`${tunnel.origin}/register`, { method: 'POST' });
    expect([agent.status, agent.headers.get('retry-after')]).toEqual([429, '60']);
    await agent.body?.cancel();
    const form = { grant_type: 'refresh_token', client_id: 'x', refresh_token: 'x' };
    expect((await postForm(tunnel, '/token', form)).status, 'who is in already renews').toBe(401);
  });
});
