// ClientHellos as programs send them: caught on a port that answers nothing.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { debianPackages } from '../support/debianPackages.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

/** Of Node, openssl and curl, and of Chromium where asked. */
export async function realHellos(hostname: string, { chromium = false } = {}): Promise<Buffer[]> {
  await debianPackages('openssl', 'curl', ...(chromium ? ['chromium'] : []));
  const node = (options: ConnectionOptions) => (port: number) => {
    const socket = connectTls({ port, host: '127.0.0.1', servername: hostname, ...options }).on('error', () => {});
    return () => void socket.destroy();
  };
  const dials = [
    node({}),
    node({ ALPNProtocols: ['h2', 'http/1.1'] }),
    node({ maxVersion: 'TLSv1.2' }),
    program('openssl', (port) => ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', hostname]),
    program('curl', (port) => ['-sk', '--resolve', `${hostname}:${port}:127.0.0.1`, `https://${hostname}:${port}/`]),
  ];
  if (chromium) {
    const folder = await temporaryFolder();
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${join(folder, 'profile')}`];
    const rules = '--host-resolver-rules=MAP * 127.0.0.1';
    dials.push(program('chromium', (port) => [...flags, rules, `https://${hostname}:${port}/`]));
  }
  return Promise.all(dials.map(caught));
}

type Dial = (port: number) => () => void;

function program(name: string, words: (port: number) => string[]): Dial {
  return (port) => {
    const child = spawn(name, words(port), { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    return () => {
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    };
  };
}

/** The first bytes that come, as many as their first record has. */
async function caught(dial: Dial): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const hangUp = dial((server.address() as AddressInfo).port);
  let bytes = Buffer.alloc(0);
  const [socket] = (await once(server, 'connection')) as [Socket];
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    if (bytes.length > 5 && bytes.length >= 5 + bytes.readUInt16BE(3)) break;
  }
  hangUp();
  server.close();
  return bytes;
}
