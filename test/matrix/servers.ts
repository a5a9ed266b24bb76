// The servers of the matrix: how each is exposed, and what an agent must find there.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { bothErasCommand, startBothEras } from '../support/bothEras.ts';
import { everything, everythingPath, root } from '../support/command.ts';
import { overHttp, overStdio, type ServerWords } from '../support/exposed.ts';
import { peerServers } from '../support/peerTools.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

export type MatrixServer = {
  name: string;
  start: () => Promise<{ words: ServerWords; env?: Record<string, string> }>;
  /** A call, and what its answer holds. */
  tool: { name: string; arguments: Record<string, string | number>; answers: string };
  resource?: string;
  prompt?: string;
};

const echo = { name: 'echo', arguments: { message: 'there and back' }, answers: 'there and back' };
const ofEverything = { tool: echo, resource: 'demo://resource/static/document/features.md', prompt: 'simple-prompt' };
const ofBothEras = {
  tool: { name: 'test_simple_text', arguments: {}, answers: 'simple text response' },
  resource: 'test://static-text',
  prompt: 'test_simple_prompt',
};
const ofFastMcp = {
  tool: { name: 'add', arguments: { a: 19, b: 23 }, answers: '42' },
  resource: 'fast://words',
  prompt: 'greet',
};

export const servers: readonly MatrixServer[] = [
  { name: 'everything, stdio', ...ofEverything, start: async () => ({ words: overStdio(everything) }) },
  { name: 'everything, http', ...ofEverything, start: () => everythingOver('streamableHttp', 'mcp') },
  { name: 'everything, sse', ...ofEverything, start: () => everythingOver('sse', 'sse') },
  {
    name: 'filesystem, stdio',
    tool: { name: 'list_allowed_directories', arguments: {}, answers: 'Allowed directories' },
    start: async () => {
      const { filesystem } = await peerServers();
      return { words: overStdio([process.execPath, filesystem, await temporaryFolder()]) };
    },
  },
  {
    name: 'memory, stdio',
    tool: { name: 'read_graph', arguments: {}, answers: 'entities' },
    start: async () => {
      const { memory } = await peerServers();
      const file = join(await temporaryFolder(), 'memory.jsonl');
      return { words: overStdio([process.execPath, memory]), env: { MEMORY_FILE_PATH: file } };
    },
  },
  { name: 'fastmcp, stdio', ...ofFastMcp, start: async () => ({ words: overStdio(await fastMcp('stdio')) }) },
  {
    name: 'fastmcp, http',
    ...ofFastMcp,
    start: async () => {
      const port = await freePort();
      return listening(await fastMcp(`${port}`), port, 'mcp');
    },
  },
  ...(['legacy', 'modern'] as const).flatMap((era): MatrixServer[] => [
    {
      name: `SDK v2 ${era}, stdio`,
      ...ofBothEras,
      start: async () => ({ words: overStdio(bothErasCommand('--era', era)) }),
    },
    {
      name: `SDK v2 ${era}, http`,
      ...ofBothEras,
      start: async () => ({ words: overHttp((await startBothEras(['--era', era])).url) }),
    },
  ]),
];

async function everythingOver(transport: string, path: string): Promise<{ words: ServerWords }> {
  const port = await freePort();
  return listening([process.execPath, everythingPath, transport], port, path);
}

async function fastMcp(transport: string): Promise<string[]> {
  const { modules } = await peerServers();
  return [process.execPath, join(root, 'test/fixtures/fastMcp.mjs'), modules, transport];
}

async function listening(
  [command = '', ...args]: string[],
  port: number,
  path: string,
): Promise<{ words: ServerWords }> {
  const child = spawn(command, args, { env: { ...process.env, PORT: `${port}` }, stdio: 'ignore' });
  onTestFinished(async () => {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'close');
  });
  const url = `http://localhost:${port}/${path}`;
  await until(
    () => takesConnections(port),
    20_000,
    () => `nothing listens at ${url}`,
  );
  return { words: overHttp(url) };
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, 'localhost');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
