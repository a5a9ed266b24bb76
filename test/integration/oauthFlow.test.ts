// An agent that can be given no token pairs, through the tunnel: the MCP SDK's own client asks, a person reads a number
// in a browser, the developer types it. What was granted is listed, narrowed, ended and remembered like any grant.
// Longer than other files: it is one story, told by one client.
/* oxlint-disable max-lines */
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { auth } from '@modelcontextprotocol/sdk/client/auth.js';
import { describe, expect, it } from 'vitest';
import { callHttp2, connectAgent2, openHttp1 } from '../support/agents.ts';
import { mcpHeaders } from '../support/gateway.ts';
import { aHelper } from '../support/helper.ts';
import { CountingClock } from '../support/leaks.ts';
import {
  anOAuthTunnel,
  approve,
  Browser,
  call,
  callback,
  connectPaired,
  globalFetch,
  nextPending,
  pairSdkAgent,
  postForm,
  SdkProvider,
} from '../support/oauth.ts';
import { authorizeUrl, tunnelWorld, verifier } from '../support/oauthRaw.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

/** Time that can be made to have passed. */
class ShiftedClock extends CountingClock {
  laterMs = 0;

  override now(): number {
    return super.now() + this.laterMs;
  }
}

describe('an agent without a token', () => {
  it.each(['POST', 'GET', 'DELETE'])('hears of the way in when it comes by %s', async (method) => {
    const { tunnel } = await tunnelWorld();
    const answer = await tunnel.fetch(tunnel.url, { method, ...(method === 'POST' ? { body: '{}' } : {}) });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe(
      `Bearer realm="mcp-tunnel", resource_metadata="${tunnel.origin}/.well-known/oauth-protected-resource/mcp", scope="mcp"`,
    );
    await answer.body?.cancel();
  });

  it('still hears of it after more failures than are written down', async () => {
    const { tunnel } = await tunnelWorld();
    for (let at = 0; at < 30; at += 1) {
      const answer = await call(tunnel, undefined);
      expect([answer.status, answer.headers.has('www-authenticate')]).toEqual([401, true]);
      await answer.body?.cancel();
    }
  });

  it('finds every document under the name it came by, whatever else its request says', async () => {
    const { tunnel } = await tunnelWorld();
    const { url = '', hostname = '' } = tunnel.opened.tunnel;
    const ca = await readFile(tunnel.opened.tunnel.caFile ?? '', 'utf8');
    const port = Number(new URL(url).port);
    const session = connectAgent2({ hostname, port, ca });
    for (const [authority, origin] of [
      [`${hostname}:${port}`, new URL(url).origin],
      [`127.0.0.1:${port}`, `https://127.0.0.1:${port}`],
      [`localhost:${port}`, `https://localhost:${port}`],
      [`${hostname}:1`, new URL(url).origin],
    ]) {
      const get = async (path: string): Promise<Record<string, unknown>> => {
        const headers = {
          ':authority': authority!,
          'x-forwarded-host': 'evil.example',
          'x-forwarded-proto': 'http',
          forwarded: 'host=evil.example',
        };
        const answer = await callHttp2(session, { path, headers });
        expect(answer.headers['cache-control']).toBe('no-store');
        expect(answer.body.toString()).not.toContain('evil.example');
        return JSON.parse(answer.body.toString()) as Record<string, unknown>;
      };
      const resource = { resource: `${origin}/mcp`, authorization_servers: [origin] };
      expect(await get('/.well-known/oauth-protected-resource/mcp')).toMatchObject(resource);
      expect(await get('/.well-known/oauth-protected-resource')).toMatchObject(resource);
      expect(await get('/.well-known/oauth-authorization-server')).toMatchObject({ issuer: origin });
      expect(await get('/.well-known/openid-configuration')).toMatchObject({ issuer: origin });
    }
    session.close();
  });

  it('finds none of it on a tunnel that was opened without', async () => {
    const world = await aHelper();
    const tunnel = await anOAuthTunnel(world, { auth: {} });
    for (const path of ['/.well-known/oauth-protected-resource', '/authorize', '/token', '/register', '/jwks']) {
      expect((await tunnel.fetch(tunnel.origin + path)).status, path).toBe(404);
    }
    expect((await call(tunnel, undefined)).headers.get('www-authenticate')).toBe('Bearer realm="mcp-tunnel"');
    expect(tunnel.opened.tunnel).not.toHaveProperty('pairAttempts');
    const answer = { tunnel: tunnel.id, deny: true } as const;
    await expect(tunnel.peer.request('pair/answer', answer)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(tunnel.peer.request('pair/open', { tunnel: 'none' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('finds it once the developer opens pairing there, and again whenever the tunnel comes back', async () => {
    const home = await temporaryFolder();
    const first = await aHelper({ home });
    const plain = await anOAuthTunnel(first, { auth: {} });
    await plain.peer.request('pair/open', { tunnel: plain.id });
    expect((await plain.fetch(`${plain.origin}/.well-known/oauth-protected-resource`)).status).toBe(200);
    const agent = await pairSdkAgent(plain);
    await first.host.stop();
    const world = await aHelper({ home });
    const again = await anOAuthTunnel(world, { auth: {} });
    expect((await call(again, agent.access)).status).toBe(200);
    expect(again.opened.tunnel.pairAttempts).toBe(0);
  });
});

describe('an agent that asks to be let in', () => {
  it('is let in by the developer who types the number, and calls', async () => {
    const { world, tunnel } = await tunnelWorld();
    const pending = nextPending(world.peer);
    const agent = await pairSdkAgent(tunnel);
    expect(await pending).toMatchObject({
      name: 'SDK agent',
      redirectHost: new URL(callback).host,
      local: true,
      scopes: ['mcp'],
      triesLeft: 3,
    });
    expect(agent.provider.kept).toMatchObject({ token_type: 'Bearer', expires_in: 900, scope: 'mcp' });
    expect(agent.access).toMatch(/^mcpa_/);
    expect(agent.refresh).toMatch(/^mcpr_/);
    const client = await connectPaired(tunnel, agent.provider);
    expect(client.getServerVersion()?.name).toBeDefined();
  });

  it('under a name that the policy has rules for is shown as one, since it chose the name', async () => {
    const { world, tunnel } = await tunnelWorld();
    const first = nextPending(world.peer);
    await pairSdkAgent(tunnel);
    expect(await first).not.toHaveProperty('ruled');
    await world.peer.request('rules/edit', { agent: 'SDK agent', tool: 'other', access: 'denied' });
    const second = nextPending(world.peer);
    await pairSdkAgent(tunnel);
    expect(await second).toMatchObject({ name: 'SDK agent', ruled: true });
  });

  it('is listed with its name, its place and its end, and audited', async () => {
    const { world, tunnel } = await tunnelWorld();
    const expiresMs = Date.now() + 7_200_000;
    await pairSdkAgent(tunnel, { name: 'ci agent', scope: { tools: ['get-*'], readOnly: true }, expiresMs });
    const { grants } = await world.peer.request('grants/list', {});
    expect(grants.find(({ name }) => name === 'ci agent')).toMatchObject({
      scope: { tools: ['get-*'], readOnly: true, servers: [tunnel.opened.tunnel.server.id] },
      expiresMs,
      paired: { client: 'SDK agent', redirectHost: '127.0.0.1:43210' },
    });
    await until(async () => (await world.audit()).some(({ event }) => event === 'approved'));
    const told = (await world.audit()).filter(({ kind }) => kind === 'pairing' || kind === 'grant');
    expect(told.map(({ kind, event }) => `${String(kind)} ${String(event)}`)).toEqual(
      expect.arrayContaining(['pairing asked', 'pairing approved', 'grant added']),
    );
  });

  it('may do what the developer picked, and nothing else', async () => {
    const { tunnel } = await tunnelWorld();
    const { access } = await pairSdkAgent(tunnel, { scope: { tools: ['allowed'] } });
    const answer = await tunnel.fetch(tunnel.url, {
      method: 'POST',
      headers: mcpHeaders(access),
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'other' } }),
    });
    expect(await answer.json()).toMatchObject({ error: { code: -32010 } });
  });

  it.each([
    ['cursor://anysphere.cursor-mcp/oauth/callback', 'cursor://anysphere.cursor-mcp', true],
    ['https://claude.ai/api/mcp/auth_callback', 'claude.ai', false],
    ['http://localhost:7777/oauth/callback', 'localhost:7777', true],
  ])('is sent back to %s', async (uri, redirectHost, local) => {
    const { world, tunnel } = await tunnelWorld();
    const pending = nextPending(world.peer);
    const agent = await pairSdkAgent(tunnel, {}, new SdkProvider({ redirect_uris: [uri] }));
    expect(await pending).toMatchObject({ redirectHost, local });
    expect((await call(tunnel, agent.access)).status).toBe(200);
  });

  it('may listen on another loopback port than the one it registered', async () => {
    const { tunnel } = await tunnelWorld();
    const provider = new SdkProvider();
    await auth(provider, { serverUrl: tunnel.url, fetchFn: globalFetch(tunnel) });
    const elsewhere = new URL(provider.sentTo!);
    elsewhere.searchParams.set('redirect_uri', callback.replace('43210', '50999'));
    const left = await approve(tunnel, elsewhere);
    expect(left.origin).toBe('http://127.0.0.1:50999');
  });

  it('may speak HTTP/2 throughout, and leave out how long a body is', async () => {
    const { tunnel } = await tunnelWorld();
    const { hostname = '', url = '', caFile = '' } = tunnel.opened.tunnel;
    const session = connectAgent2({ hostname, port: Number(new URL(url).port), ca: await readFile(caFile, 'utf8') });
    const send = async (path: string, type: string, body: string) => {
      const headers = { ':authority': new URL(tunnel.url).host, 'content-type': type };
      const answer = await callHttp2(session, {
        method: 'POST',
        path,
        headers,
        body: Readable.from([Buffer.from(body)]),
      });
      return { status: answer.status, body: JSON.parse(answer.body.toString()) as Record<string, string> };
    };
    const told = JSON.stringify({ redirect_uris: [callback], token_endpoint_auth_method: 'none' });
    const registered = await send('/register', 'application/json', told);
    expect(registered.status).toBe(201);
    const { client_id = '' } = registered.body;
    const left = await approve(tunnel, authorizeUrl(tunnel, client_id));
    const form = {
      grant_type: 'authorization_code',
      client_id,
      code: left.searchParams.get('code') ?? '',
      redirect_uri: callback,
      code_verifier: verifier,
    };
    const tokens = await send('/token', 'application/x-www-form-urlencoded', new URLSearchParams(form).toString());
    expect(tokens).toMatchObject({ status: 200, body: { token_type: 'Bearer' } });
    session.close();
  });

  it.each(['client_secret_basic', 'client_secret_post'])(
    'may hold a secret, which is kept as its digest (%s)',
    async (method) => {
      const { world, tunnel } = await tunnelWorld();
      const provider = new SdkProvider({ token_endpoint_auth_method: method });
      const agent = await pairSdkAgent(tunnel, {}, provider);
      const { client_secret: secret = '' } = provider.client!;
      expect(secret.length).toBeGreaterThan(20);
      expect((await call(tunnel, agent.access)).status).toBe(200);
      expect(await readFile(world.paths.oauth, 'utf8')).not.toContain(secret);
      const wrong = { client_id: provider.client!.client_id, client_secret: `${secret}x` };
      const form = { grant_type: 'refresh_token', refresh_token: agent.refresh };
      expect(await postForm(tunnel, '/token', { ...form, ...wrong })).toMatchObject({
        status: 401,
        body: { error: 'invalid_client' },
      });
    },
  );

  it('gets what there is when it asks for more', async () => {
    const { world, tunnel } = await tunnelWorld();
    const registered = await tunnel.fetch(`${tunnel.origin}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        client_name: 'Visual Studio Code',
        redirect_uris: ['http://127.0.0.1/', 'https://vscode.dev/redirect'],
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        token_endpoint_auth_method: 'none',
        scope: 'openid offline_access mcp everything',
      }),
    });
    expect(registered.status).toBe(201);
    expect(registered.headers.get('cache-control')).toBe('no-store');
    expect(await registered.json()).toMatchObject({ grant_types: ['authorization_code', 'refresh_token'] });

    const pending = nextPending(world.peer);
    const agent = await pairSdkAgent(tunnel, {}, new SdkProvider({ scope: 'openid profile' }));
    expect((await pending).scopes).toEqual(['mcp']); // The SDK asks for what the metadata offers.
    expect(agent.provider.kept).not.toHaveProperty('id_token');
  });
});

describe('access that was granted', () => {
  it('is renewed by the agent itself when its token is over', async () => {
    const clock = new ShiftedClock();
    const world = await aHelper({ clock });
    const tunnel = await anOAuthTunnel(world);
    const agent = await pairSdkAgent(tunnel);
    clock.laterMs = 16 * 60_000;
    expect((await call(tunnel, agent.access)).status).toBe(401);
    await connectPaired(tunnel, agent.provider);
    expect(agent.provider.kept?.access_token).not.toBe(agent.access);
    expect(agent.provider.kept?.refresh_token).not.toBe(agent.refresh);
    expect((await call(tunnel, agent.provider.kept?.access_token)).status).toBe(200);
  });

  it('ends with the grant, whatever tokens say', async () => {
    const clock = new ShiftedClock();
    const world = await aHelper({ clock });
    const tunnel = await anOAuthTunnel(world);
    const agent = await pairSdkAgent(tunnel, { expiresMs: Date.now() + 600_000 });
    expect(agent.provider.kept?.expires_in).toBeLessThanOrEqual(600);
    clock.laterMs = 601_000;
    expect((await call(tunnel, agent.access)).status).toBe(401);
    const form = { grant_type: 'refresh_token', client_id: agent.provider.client!.client_id };
    expect(await postForm(tunnel, '/token', { ...form, refresh_token: agent.refresh })).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant' },
    });
  });

  it('is revoked at once: what is open ends, nothing is renewed', async () => {
    const { world, tunnel } = await tunnelWorld();
    const agent = await pairSdkAgent(tunnel, { name: 'soon gone' });
    const begun = await call(tunnel, agent.access);
    const session = begun.headers.get('mcp-session-id') ?? '';
    const { hostname = '', url = '', caFile = '' } = tunnel.opened.tunnel;
    const target = { hostname, port: Number(new URL(url).port), ca: await readFile(caFile, 'utf8') };
    const stream = await openHttp1(target, {
      path: '/mcp',
      headers: { ...mcpHeaders(agent.access), 'mcp-session-id': session },
    });
    expect(stream.statusCode).toBe(200);
    const ended = new Promise((settle) => stream.once('close', settle).once('error', () => {}));
    const { grants } = await world.peer.request('grants/list', {});
    const { id } = grants.find(({ name }) => name === 'soon gone')!;
    stream.resume();
    await world.peer.request('grants/revoke', { id });
    await ended;
    expect((await call(tunnel, agent.access)).status).toBe(401);
    const form = { grant_type: 'refresh_token', client_id: agent.provider.client!.client_id };
    expect(await postForm(tunnel, '/token', { ...form, refresh_token: agent.refresh })).toMatchObject({ status: 400 });
    await expect(world.peer.request('grants/rotate', { id, overlapMs: 0 })).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('can be given back by the agent, and shows as revoked', async () => {
    const { world, tunnel } = await tunnelWorld();
    const agent = await pairSdkAgent(tunnel, { name: 'polite' });
    const form = { token: agent.access, client_id: agent.provider.client!.client_id };
    expect((await postForm(tunnel, '/revoke', form)).status).toBe(200);
    expect((await call(tunnel, agent.access)).status).toBe(401);
    await until(async () => {
      const { grants } = await world.peer.request('grants/list', {});
      return grants.find(({ name }) => name === 'polite')?.revokedMs !== undefined;
    });
  });

  it('outlives a restart of the helper, and can be renewed after it', async () => {
    const home = await temporaryFolder();
    const first = await aHelper({ home });
    const before = await anOAuthTunnel(first);
    const agent = await pairSdkAgent(before);
    await first.host.stop();
    const world = await aHelper({ home });
    const tunnel = await anOAuthTunnel(world);
    expect(tunnel.url).toBe(before.url);
    expect((await call(tunnel, agent.access)).status).toBe(200);
    const form = { grant_type: 'refresh_token', client_id: agent.provider.client!.client_id };
    const renewed = await postForm(tunnel, '/token', { ...form, refresh_token: agent.refresh });
    expect(renewed).toMatchObject({ status: 200, body: { token_type: 'Bearer' } });
    expect(renewed.headers.get('cache-control')).toBe('no-store');
    expect((await call(tunnel, renewed.body['access_token'] as string)).status).toBe(200);
  });

  it('leaves no secret in files, in the inspector or in the audit log', async () => {
    const { world, tunnel } = await tunnelWorld();
    const agent = await pairSdkAgent(tunnel);
    await (await call(tunnel, agent.access)).text();
    const { rows } = await world.peer.request('traffic/read', { after: 0, max: 1_000 });
    expect(rows.map(({ method }) => method)).toEqual(
      expect.arrayContaining(['OAuth metadata', 'OAuth register', 'OAuth authorize', 'OAuth pairing', 'OAuth token']),
    );
    const details = await Promise.all(rows.map(({ id }) => world.peer.request('traffic/get', { id })));
    const seen = JSON.stringify(details) + JSON.stringify(await world.audit());
    const kept = (await readFile(world.paths.oauth, 'utf8')) + (await readFile(world.paths.grants, 'utf8'));
    expect(seen).not.toContain('state-of-the-agent'); // Of the query; the path alone is shown.
    for (const secret of [agent.access, agent.refresh, agent.code, agent.provider.verifier]) {
      expect(seen).not.toContain(secret);
      expect(kept).not.toContain(secret);
    }
    expect(details.find(({ row }) => row.method === 'initialize')?.principal).toMatchObject({ kind: 'oauth' });
  });
});

describe('the developer', () => {
  it('sees in the tunnel who waits, and that it is over', async () => {
    const { world, tunnel } = await tunnelWorld();
    const provider = new SdkProvider();
    await auth(provider, { serverUrl: tunnel.url, fetchFn: globalFetch(tunnel) });
    await world.peer.request('pair/open', { tunnel: tunnel.id });
    const browser = new Browser(tunnel);
    const waiting = await browser.go(provider.sentTo!);
    const shown = (): unknown => world.tunnels().find(({ id }) => id === tunnel.id)?.pairing;
    await until(() => JSON.stringify(shown() ?? '').includes('SDK agent'));
    const ended = new Promise((settle) => world.peer.on('pair/ended', settle));
    await world.peer.request('pair/answer', { tunnel: tunnel.id, deny: true });
    expect(await ended).toEqual({ tunnel: tunnel.id, outcome: 'denied', name: 'SDK agent' });
    await until(() => shown() === undefined);
    const { left } = await browser.go(waiting.url);
    expect(Object.fromEntries(left!.searchParams)).toMatchObject({
      error: 'access_denied',
      state: 'state-of-the-agent',
      iss: tunnel.origin,
    });
  });

  it('cannot grant what ends before it begins', async () => {
    const { world, tunnel } = await tunnelWorld();
    await world.peer.request('pair/open', { tunnel: tunnel.id });
    const answer = { tunnel: tunnel.id, number: '000000', scope: {}, expiresMs: Date.now() - 1 };
    await expect(world.peer.request('pair/answer', answer)).rejects.toMatchObject({ code: 'USAGE' });
  });
});
