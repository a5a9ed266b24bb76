// Clients known by the address of a document about themselves: read when a person asks for them, under the policy and
// at public addresses alone, and remembered once they were let in.
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { Agent, fetch as undiciFetch } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeKeyPair } from '../../src/certs/keyPair.ts';
import { GrantStore } from '../../src/identity/grants.ts';
import { OAuthDoor, type OAuthDoorOptions } from '../../src/identity/oauth/oauthDoor.ts';
import { anAuthority } from '../support/certs.ts';
import { aHelper } from '../support/helper.ts';
import { CountingClock } from '../support/leaks.ts';
import { MemoryFiles } from '../support/memoryFiles.ts';
import {
  anOAuthTunnel,
  Browser,
  callback,
  numberOn,
  postForm,
  type Fetch,
  type OAuthTunnel,
} from '../support/oauth.ts';
import { authorizeUrl, verifier } from '../support/oauthRaw.ts';
import { until } from '../support/until.ts';

type Documents = { ca: string; port: number; texts: Map<string, string>; asked: string[] };

/** Hosts of documents, all on this machine. */
async function documents(): Promise<Documents> {
  const authority = await anAuthority();
  const key = await makeKeyPair();
  const cert = authority.issueServer({ names: ['client.example', 'other.example'], publicKey: key.publicKey, days: 1 });
  const texts = new Map<string, string>();
  const asked: string[] = [];
  const server = createServer({ key: key.privateKeyPem, cert }, ({ url = '', headers }, response) => {
    asked.push(`${headers.host?.split(':')[0] ?? ''}${url}`);
    const text = texts.get(url);
    if (text?.startsWith('http')) response.writeHead(302, { location: text }).end();
    else response.writeHead(text === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => (server.closeAllConnections(), void server.close()));
  return { ca: authority.certificatePem, port: (server.address() as AddressInfo).port, texts, asked };
}

type World = {
  hosts: Documents;
  door: OAuthDoor;
  /** As the other tests' tunnels, without the tunnel. */
  tunnel: OAuthTunnel;
  /** A document at `path`; its client's id. */
  publish: (path: string, more?: object) => string;
  denied: Set<string>;
  restart: () => Promise<void>;
};

async function world(): Promise<World> {
  const hosts = await documents();
  const clock = new CountingClock();
  const files = new MemoryFiles();
  const grants = new GrantStore({ files, path: '/grants.json', clock, randomBytes });
  await grants.load();
  onTestFinished(() => grants.close());
  const denied = new Set<string>();
  const options: OAuthDoorOptions = {
    files,
    path: '/oauth.json',
    instance: 'i',
    serverId: 's',
    clock,
    grants,
    documents: () => true,
    mayFetch: (host) => (denied.has(host.split(':')[0] ?? '') ? 'no entry for it' : undefined),
    fetching: { resolve: async () => ['127.0.0.1'], isPublic: () => true, ca: hosts.ca },
    addGrant: ({ name, redirectHost }, { scope, expiresMs }) =>
      grants.addPaired({ name, servers: ['s'], scope, expiresMs }, { client: name, redirectHost }),
    endGrant: async (id) => void (await grants.revoke(id)),
    log: () => {},
  };
  let door = await OAuthDoor.open(options);
  const authority = await anAuthority();
  const key = await makeKeyPair();
  const cert = authority.issueServer({ names: ['127.0.0.1'], publicKey: key.publicKey, days: 1 });
  const server = createServer({ key: key.privateKeyPem, cert }, (request, response) => {
    void door.serve(request, response, '203.0.113.7');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => (server.closeAllConnections(), void server.close()));
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const url = `${origin}/mcp`;
  door.announce([url]);
  const dispatcher = new Agent({ connect: { ca: authority.certificatePem } });
  onTestFinished(() => dispatcher.destroy());
  const fetch: Fetch = (address, init) => undiciFetch(address, { redirect: 'manual', ...init, dispatcher });
  const made: World = {
    hosts,
    door,
    denied,
    tunnel: { origin, url, fetch } as OAuthTunnel,
    publish(path, more = {}) {
      const id = `https://client.example:${hosts.port}${path}`;
      const text = { client_id: id, client_name: 'Documented', redirect_uris: [callback], ...more };
      hosts.texts.set(path, JSON.stringify({ token_endpoint_auth_method: 'none', ...text }));
      return id;
    },
    async restart() {
      await door.close();
      door = await OAuthDoor.open(options);
      door.announce([url]);
      made.door = door;
    },
  };
  return made;
}

describe('a client with a document', () => {
  it('gets in under the name that its host vouches for, and renews its access without that host', async () => {
    const made = await world();
    const { hosts, tunnel } = made;
    const clientId = made.publish('/client.json', {
      grant_types: ['authorization_code'],
      logo_uri: 'https://x.example',
    });
    made.door.desk.open();
    const browser = new Browser(tunnel);
    const waiting = await browser.go(authorizeUrl(tunnel, clientId));
    expect(made.door.desk.window?.pending).toMatchObject({
      name: 'Documented',
      documentHost: `client.example:${hosts.port}`,
      local: true,
    });
    made.door.desk.answer(numberOn(waiting.html), { name: 'd', scope: {}, expiresMs: Date.now() + 3_600_000 });
    const code = (await browser.go(waiting.url)).left?.searchParams.get('code') ?? '';
    const form = { grant_type: 'authorization_code', client_id: clientId, code, redirect_uri: callback };
    const first = await postForm(tunnel, '/token', { ...form, code_verifier: verifier });
    expect(first.status).toBe(200);
    expect(hosts.asked).toEqual(['client.example/client.json']);

    hosts.texts.clear();
    await made.restart();
    const renewed = await postForm(tunnel, '/token', {
      grant_type: 'refresh_token',
      client_id: clientId,
      refresh_token: first.body['refresh_token'] as string,
    });
    expect(renewed.status).toBe(200);
    expect(hosts.asked).toHaveLength(1);
  });

  it.each([
    ['that is not there', undefined],
    ['of another client', { client_id: 'https://other.example/client.json' }],
    ['with a secret', { client_secret: 'x' }],
    ['that wants to hold a secret', { token_endpoint_auth_method: 'client_secret_basic' }],
    ['with redirects that nobody may have', { redirect_uris: ['javascript:alert(1)'] }],
    ['without redirects', { redirect_uris: [] }],
  ])('%s is not let in, and sent nowhere', async (_what, more) => {
    const made = await world();
    const clientId = made.publish('/client.json', more);
    if (more === undefined) made.hosts.texts.clear();
    made.door.desk.open();
    const page = await new Browser(made.tunnel).go(authorizeUrl(made.tunnel, clientId));
    expect({ status: page.status, left: page.left }).toEqual({ status: 400, left: undefined });
    expect(made.door.desk.window?.pending).toBeUndefined();
  });

  it('that redirects is not followed', async () => {
    const made = await world();
    const { hosts } = made;
    made.publish('/target.json');
    hosts.texts.set('/client.json', `https://other.example:${hosts.port}/target.json`);
    made.door.desk.open();
    const clientId = `https://client.example:${hosts.port}/client.json`;
    expect((await new Browser(made.tunnel).go(authorizeUrl(made.tunnel, clientId))).status).toBe(400);
    expect(hosts.asked).toEqual(['client.example/client.json']);
  });
});

describe('no document is fetched', () => {
  it('while nobody is there to let its client in', async () => {
    const made = await world();
    const clientId = made.publish('/client.json');
    expect((await new Browser(made.tunnel).go(authorizeUrl(made.tunnel, clientId))).status).toBe(403);
    expect(made.hosts.asked).toEqual([]);
  });

  it('for a request that is no person’s', async () => {
    const made = await world();
    const clientId = made.publish('/client.json');
    made.door.desk.open();
    const form = { grant_type: 'refresh_token', client_id: clientId, refresh_token: 'x' };
    expect((await postForm(made.tunnel, '/token', form)).body).toMatchObject({ error: 'invalid_client' });
    expect((await postForm(made.tunnel, '/revoke', { client_id: clientId, token: 'x' })).status).toBe(400);
    expect(made.hosts.asked).toEqual([]);
  });

  it('from a host that the policy does not name', async () => {
    const made = await world();
    const clientId = made.publish('/client.json');
    made.denied.add('client.example');
    made.door.desk.open();
    expect((await new Browser(made.tunnel).go(authorizeUrl(made.tunnel, clientId))).status).toBe(400);
    expect(made.hosts.asked).toEqual([]);
  });

  it.each(['https://127.0.0.1/c', 'https://[::1]/c', 'https://169.254.169.254/latest', 'http://client.example/c'])(
    'from %s',
    async (clientId) => {
      const made = await world();
      made.door.desk.open();
      expect((await new Browser(made.tunnel).go(authorizeUrl(made.tunnel, clientId))).status).toBe(400);
    },
  );
});

describe('documents', () => {
  it('are offered only while the policy names a host for them', async () => {
    const helper = await aHelper();
    const tunnel = await anOAuthTunnel(helper);
    const offered = async (): Promise<unknown> => {
      const answer = await tunnel.fetch(`${tunnel.origin}/.well-known/oauth-authorization-server`);
      return ((await answer.json()) as Record<string, unknown>)['client_id_metadata_document_supported'];
    };
    expect(await offered()).toBe(false);
    const embedded = { carrier: 'embedded' };
    await helper.writePolicy({ destinations: [embedded, { service: 'client-metadata', host: 'claude.ai' }] });
    await until(async () => (await offered()) === true);
    await helper.writePolicy({ destinations: [embedded] });
    await until(async () => (await offered()) === false);
  });
});
