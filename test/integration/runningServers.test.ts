// Programs that really listen, in a workspace of their own: which of them are MCP servers, and what the question leaves.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { findListeners } from '../../src/discovery/listeners/findListeners.ts';
import { runningServers } from '../../src/discovery/listeners/runningServers.ts';
import { until } from '../support/until.ts';

const fixture = resolve('test/fixtures/bothEras.mjs');
const signal = new AbortController().signal;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcpt-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** A process in the workspace, ended with the test; resolves when it listens. */
async function started(args: (port: number) => string[]): Promise<number> {
  const port = await freePort();
  const child = spawn(process.execPath, args(port), { cwd: folder, stdio: 'ignore' });
  onTestFinished(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  await until(async () => (await findListeners()).some((listener) => listener.port === port));
  return port;
}

describe('running servers', () => {
  it.each([
    ['legacy', 'legacy'],
    ['modern', 'modern'],
  ])('of the %s era are found by their process’s folder, and named', async (era) => {
    const record = join(folder, 'record.jsonl');
    const port = await started((at) => [fixture, '--http', String(at), '--era', era, '--record', record]);
    const [server, ...others] = await runningServers({ folders: [folder] }, signal);
    expect(others).toEqual([]);
    expect(server).toMatchObject({
      transport: { kind: 'http', url: `http://localhost:${port}/mcp` },
      running: { cwd: folder, era, pid: expect.any(Number) as number },
    });
    expect(server?.name).not.toContain('localhost');
    const heard = await readFile(record, 'utf8').catch(() => '');
    expect(heard).not.toContain('tools/call');
  });

  it('are not made of other programs, however they behave', async () => {
    const script = join(folder, 's.mjs');
    await writeFile(
      script,
      `import { createServer } from 'node:net';
       import { createServer as http } from 'node:http';
       const [, , kind, port] = process.argv;
       if (kind === 'silent') createServer(() => {}).listen(port, '127.0.0.1');
       if (kind === 'web') http((q, s) => s.end('<html>"jsonrpc"</html>')).listen(port, '127.0.0.1');
       if (kind === 'endless') http((q, s) => { s.writeHead(200); setInterval(() => s.write('x'.repeat(65536)), 5); }).listen(port, '127.0.0.1');
       if (kind === 'babble') createServer((c) => { c.on('error', () => {}); c.write('\\0'.repeat(1000)); }).listen(port, '127.0.0.1');`,
    );
    for (const kind of ['silent', 'web', 'endless', 'babble']) await started((port) => [script, kind, String(port)]);
    expect(await runningServers({ folders: [folder] }, signal)).toEqual([]);
  });

  it('elsewhere are asked only when a person names their port', async () => {
    const port = await started((at) => [fixture, '--http', String(at), '--era', 'legacy']);
    expect(await runningServers({ folders: [join(folder, 'other')] }, signal)).toEqual([]);
    const found = await runningServers({ folders: [], ports: [port] }, signal);
    expect(found.map(({ transport }) => transport)).toMatchObject([{ url: `http://localhost:${port}/mcp` }]);
  });

  it('of our own are left alone', async () => {
    const port = await started((at) => [fixture, '--http', String(at), '--era', 'legacy']);
    const own = new Set((await findListeners()).filter((listener) => listener.port === port).map(({ pid }) => pid));
    expect(await runningServers({ folders: [folder], ownPids: own }, signal)).toEqual([]);
  });
});
