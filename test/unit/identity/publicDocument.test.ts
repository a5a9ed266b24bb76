import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { RequestListener } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { fetchPublicDocument, type DocumentFetchOptions } from '../../../src/identity/publicDocument.ts';
import { anAuthority } from '../../support/certs.ts';

const what = 'a client’s document';
const maxBytes = 10_000;

type World = { url: string; ca: string; requests: () => number };

async function listening(server: Server | TcpServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** The host of a client's document, at a public name. */
async function aHost(answer: RequestListener): Promise<World> {
  const authority = await anAuthority();
  const key = await makeKeyPair();
  const cert = authority.issueServer({ names: ['client.example'], publicKey: key.publicKey, days: 1 });
  let requests = 0;
  const server = createServer({ key: key.privateKeyPem, cert }, (request, response) => {
    requests += 1;
    answer(request, response);
  });
  onTestFinished(() => server.closeAllConnections());
  const port = await listening(server);
  return { url: `https://client.example:${port}/client.json`, ca: authority.certificatePem, requests: () => requests };
}

const here = (world: { ca: string }): DocumentFetchOptions => ({
  what,
  maxBytes,
  mayFetch: () => undefined,
  resolve: async () => ['127.0.0.1'],
  isPublic: () => true,
  ca: world.ca,
});

function codeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'fetched',
    (error: unknown) => (error as { code: string }).code,
  );
}

describe('a client’s document', () => {
  it('is fetched from the address that was looked at', async () => {
    const world = await aHost((request, response) => {
      expect(request.headers).toMatchObject({ accept: 'application/json', 'accept-encoding': 'identity' });
      expect(request.headers.authorization).toBeUndefined();
      response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'max-age=60' }).end('{"a":1}');
    });
    const { status, headers, body } = await fetchPublicDocument(world.url, here(world));
    expect({ status, headers, body: body.toString() }).toEqual({
      status: 200,
      headers: { 'content-type': 'application/json', 'cache-control': 'max-age=60' },
      body: '{"a":1}',
    });
  });

  it('is not followed elsewhere', async () => {
    const target = await aHost((_request, response) => response.end('{}'));
    const world = await aHost((_request, response) => response.writeHead(302, { location: target.url }).end());
    expect(await fetchPublicDocument(world.url, here(world))).toMatchObject({ status: 302 });
    expect(target.requests()).toBe(0);
  });

  it('that is too large is not read to its end', async () => {
    const world = await aHost((_request, response) => response.end('x'.repeat(maxBytes + 1)));
    expect(await codeOf(fetchPublicDocument(world.url, here(world)))).toBe('UPSTREAM_UNREACHABLE');
  });

  it('that never ends is given up', async () => {
    const world = await aHost((_request, response) => void response.write('{'));
    expect(await codeOf(fetchPublicDocument(world.url, { ...here(world), timeoutMs: 100 }))).toBe(
      'UPSTREAM_UNREACHABLE',
    );
  });

  it('whose name is never resolved is given up', async () => {
    const resolve = (): Promise<string[]> => new Promise(() => {});
    const fetched = fetchPublicDocument('https://client.example/', {
      what,
      maxBytes,
      mayFetch: () => undefined,
      resolve,
      timeoutMs: 50,
    });
    expect(await codeOf(fetched)).toBe('UPSTREAM_UNREACHABLE');
  });

  it('at a host that nobody vouches for is not believed', async () => {
    const world = await aHost((_request, response) => response.end('{}'));
    const { ca: _ca, ...options } = here(world);
    expect(await codeOf(fetchPublicDocument(world.url, options))).toBe('UPSTREAM_UNREACHABLE');
    expect(await codeOf(fetchPublicDocument(world.url.replace('client.', 'other.'), here(world)))).toBe(
      'UPSTREAM_UNREACHABLE',
    );
    expect(world.requests()).toBe(0);
  });
});

describe('nothing is dialled', () => {
  it('that the policy does not allow, and no name is looked up for it', async () => {
    const asked: string[] = [];
    const refusing: DocumentFetchOptions = {
      what,
      maxBytes,
      mayFetch: (host) => (asked.push(host), 'no entry for it'),
      resolve: () => {
        throw new Error('it was looked up');
      },
    };
    expect(await codeOf(fetchPublicDocument('https://client.example/x', refusing))).toBe('DESTINATION_DENIED');
    expect(asked).toEqual(['client.example:443']);
  });

  it.each([
    [['127.0.0.1']],
    [['169.254.169.254']],
    [['10.0.0.1']],
    [['::1']],
    [['fe80::1']],
    [['::ffff:127.0.0.1']],
    [['1.1.1.1', '127.0.0.1']],
    [[]],
  ])('at %j', async (addresses) => {
    let connections = 0;
    const port = await listening(createTcpServer((socket) => ((connections += 1), socket.destroy())));
    const options = { what, maxBytes, mayFetch: () => undefined, resolve: async () => addresses };
    expect(await codeOf(fetchPublicDocument(`https://client.example:${port}/`, options))).toBe('DESTINATION_DENIED');
    expect(connections).toBe(0);
  });

  it.each([
    'http://client.example/',
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://[::ffff:7f00:1]/',
    'https://8.8.8.8/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://user@client.example/',
  ])('for %s', async (url) => {
    const options = { what, maxBytes, mayFetch: () => undefined, resolve: async () => ['1.1.1.1'] };
    expect(await codeOf(fetchPublicDocument(url, options))).toBe('DESTINATION_DENIED');
  });
});
