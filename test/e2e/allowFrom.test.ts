// `expose --allow-from` through an edge that is another process: who may connect, and that it is kept with the tunnel.
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { ConnectionOptions } from 'node:tls';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { callHttp1 } from '../support/agents.ts';
import { asnFile } from '../support/asnFile.ts';
import { CommandWorld, type Started } from '../support/commandWorld.ts';

let world: CommandWorld;
beforeEach(async () => {
  world = await CommandWorld.make();
});
afterEach(() => world.close());

type Told = { hostname: string; caFile: string; allowFrom?: string[] };

/** The place of an edge at which this machine is enrolled. */
async function anEdge(...options: string[]): Promise<string> {
  const data = ['--data', 'data', '--json'];
  const { first } = world.start([
    'edge',
    'run',
    '--domain',
    'edge.localhost',
    '--listen',
    '127.0.0.1:0',
    ...options,
    ...data,
  ]);
  const { edge, pin } = (await first) as { edge: string; pin: string };
  await world.run(['allow', 'add', 'edge', edge]);
  await world.run(['edge', 'token', '--token-file', 'token.txt', ...data]);
  await world.run(['enroll', edge, '--pin', pin, '--token-file', 'token.txt']);
  return edge;
}

/** An MCP server that answers everything with an empty list. */
async function aServer(): Promise<string> {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { id } = JSON.parse((await text(request)) || '{}') as { id?: number };
    const result = { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 'none', version: '1' } };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  };
  const server = createServer((request, response) => void answer(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}

/** Status of an agent without a token that comes from there; 0 where the edge hangs up. */
async function statusFrom(address: string, { hostname, caFile }: Told, edge: string): Promise<number> {
  const target = { hostname, port: Number(edge.split(':').at(-1)), ca: await readFile(caFile, 'utf8') };
  const tls = { localAddress: address } as ConnectionOptions;
  return callHttp1({ ...target, tls }, { path: '/mcp' }).then(
    ({ status }) => status,
    () => 0,
  );
}

async function stop({ child, ended }: Started): Promise<void> {
  child.kill('SIGTERM');
  await ended;
}

it('lets in who is named, keeps that for the next time, and lets in anyone when told so', async () => {
  const edge = await anEdge();
  const url = await aServer();
  const exposed = (...words: string[]) =>
    world.start(['expose', '--url', url, '--carrier', 'edge', '--edge', edge, '--json', ...words]);
  const limited = exposed('--allow-from', 'anthropic', '--allow-from', '127.0.0.2');
  const told = (await limited.first) as Told;
  expect(told.allowFrom).toEqual(['anthropic', '127.0.0.2']);
  expect(await statusFrom('127.0.0.2', told, edge)).toBe(401);
  expect(await statusFrom('127.0.0.3', told, edge)).toBe(0);
  await stop(limited);

  const again = exposed();
  const kept = (await again.first) as Told;
  expect(kept).toMatchObject({ hostname: told.hostname, allowFrom: ['anthropic', '127.0.0.2'] });
  expect(await statusFrom('127.0.0.3', kept, edge)).toBe(0);
  await stop(again);

  const open = exposed('--allow-from', 'anyone');
  const anyone = (await open.first) as Told;
  expect(anyone.allowFrom).toBeUndefined();
  expect(await statusFrom('127.0.0.3', anyone, edge)).toBe(401);
  await stop(open);
  expect(((await exposed().first) as Told).allowFrom).toBeUndefined();
});

it('takes a file as vendors publish it, and autonomous systems where the edge can tell them', async () => {
  await writeFile(join(world.folder, 'asn.mmdb'), asnFile({ '127.0.0.4/32': 64_500 }));
  await world.put('published.json', { creationTime: '2026-11-01', prefixes: [{ ipv4Prefix: '127.0.0.2/31' }] });
  const edge = await anEdge('--asn-db', 'asn.mmdb');
  const words = ['--carrier', 'edge', '--edge', edge, '--allow-from', '@published.json', '--allow-from', 'AS64500'];
  const told = (await world.start(['expose', '--url', await aServer(), '--json', ...words]).first) as Told;
  expect(told.allowFrom).toEqual(['127.0.0.2/31', 'AS64500']);
  expect(await statusFrom('127.0.0.3', told, edge)).toBe(401);
  expect(await statusFrom('127.0.0.4', told, edge)).toBe(401);
  expect(await statusFrom('127.0.0.5', told, edge)).toBe(0);
});

it('says what is wrong before anything is started', async () => {
  const edge = await anEdge();
  const words = ['--url', 'http://127.0.0.1:9/mcp', '--json', '--carrier', 'edge', '--edge', edge];
  const refused = async (...more: string[]) => {
    const { code, events } = await world.run(['expose', ...words, ...more]);
    return { code, message: (events[0] as { message?: string }).message ?? '' };
  };
  expect(await refused('--allow-from', '10.0.0.0/33')).toMatchObject({
    code: 2,
    message: expect.stringContaining('10.0.0.0/33'),
  });
  expect(await refused('--allow-from', 'openai')).toMatchObject({
    code: 2,
    message: expect.stringContaining('chatgpt-connectors.json'),
  });
  expect(await refused('--allow-from', '@nothing.json')).toMatchObject({
    code: 2,
    message: expect.stringContaining('nothing.json'),
  });
  expect(await refused('--allow-from', 'anyone', '--allow-from', 'anthropic')).toMatchObject({ code: 2 });
  const embedded = await world.run([
    'expose',
    '--url',
    'http://127.0.0.1:9/mcp',
    '--json',
    '--allow-from',
    'anthropic',
  ]);
  expect(embedded).toMatchObject({ code: 2, events: [{ message: expect.stringContaining('this machine alone') }] });
  const noFile = await world.run([
    'edge',
    'run',
    '--domain',
    'b.localhost',
    '--listen',
    '127.0.0.1:0',
    '--data',
    'b',
    '--asn-db',
    'none.mmdb',
    '--json',
  ]);
  expect(noFile).toMatchObject({ code: 2, events: [{ message: expect.stringContaining('none.mmdb') }] });
});

it('is refused by an edge that cannot tell autonomous systems apart', async () => {
  const edge = await anEdge();
  const words = ['--url', await aServer(), '--json', '--carrier', 'edge', '--edge', edge, '--allow-from', 'AS64500'];
  expect(await world.run(['expose', ...words])).toMatchObject({
    code: 2,
    events: [{ message: expect.stringContaining('--asn-db') }],
  });
});
