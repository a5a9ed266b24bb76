// An address that neither answers nor refuses, as behind a firewall that drops: a listener whose queue is full, in a
// process that never accepts. The kernel ignores whoever else knocks.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

const script = `
const server = require('net').createServer().listen({ host: process.argv[1], port: Number(process.argv[2]), backlog: 1 });
server.once('listening', () => {
  require('fs').writeSync(1, 'up');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});`;

/** More than any queue of one holds. */
const knocks = 8;

export async function stuckListener(host: string, port: number): Promise<void> {
  const child = spawn(process.execPath, ['-e', script, host, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const sockets: Socket[] = [];
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    const ended = once(child, 'close');
    if (child.kill('SIGKILL')) await ended;
  });
  await once(child.stdout, 'data');
  for (let count = 0; count < knocks; count += 1) sockets.push(connect({ host, port }).on('error', () => {}));
  await once(sockets[0] as Socket, 'connect');
}
