// haproxy in front of something, on a free port of this machine, until the test ends.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { debianPackages } from './debianPackages.ts';
import { temporaryFolder } from './temporaryFolder.ts';
import { until } from './until.ts';

/** `backend` is what follows `backend edge`, a line each. Returns the port, once it takes connections. */
export async function haproxy(backend: readonly string[]): Promise<number> {
  await debianPackages('haproxy');
  const port = await freePort();
  const config = join(await temporaryFolder(), 'haproxy.cfg');
  const front = ['frontend visitors', `  bind 127.0.0.1:${port}`, '  default_backend edge'];
  const times = ['connect 5s', 'client 60s', 'server 60s'].map((time) => `  timeout ${time}`);
  const lines = ['defaults', '  mode tcp', ...times, ...front, 'backend edge', ...backend.map((line) => `  ${line}`)];
  await writeFile(config, `${lines.join('\n')}\n`);
  const env = { PATH: `${process.env['PATH']}:/usr/sbin` };
  const child = spawn('haproxy', ['-db', '-f', config], { stdio: 'ignore', env });
  onTestFinished(async () => {
    child.kill();
    if (child.exitCode === null) await once(child, 'exit');
  });
  await until(() => takesConnections(port), 10_000);
  return port;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function takesConnections(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  const takes = new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  });
  return takes.finally(() => socket.destroy());
}
