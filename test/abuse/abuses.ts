// What strangers do to an edge, each on its own and for a bounded time.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { stripVTControlCharacters } from 'node:util';
import { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { openHttp1, type Target } from '../support/agents.ts';
import { debianPackages } from '../support/debianPackages.ts';
import { haproxy } from '../support/haproxy.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

/** One of many addresses of this machine, so that no cap per address is in the way. */
const alias = (at: number): string => `127.0.1.${1 + (at % 200)}`;

function dial(port: number, at: number): Socket {
  return connect({ port, host: '127.0.0.1', localAddress: alias(at) }).on('error', () => {});
}

/** Connects `count` times and says nothing; over once the edge has closed them all. */
export async function halfOpen(port: number, count: number): Promise<void> {
  const sockets: Socket[] = [];
  for (let at = 0; at < count; at += 1) {
    sockets.push(dial(port, at).resume());
    if (at % 100 === 99) await until(() => sockets.slice(-100).every((socket) => !socket.connecting), 30_000);
  }
  await until(
    () => sockets.every(({ closed }) => closed),
    60_000,
    () => `${sockets.filter(({ closed }) => !closed).length} are open`,
  );
}

/** Sends each in a connection of its own; over once the edge has closed them all, or answered. */
export async function sayHellos(port: number, hellos: readonly Uint8Array[], atOnce = 100): Promise<void> {
  const stranger = new Worker(new URL('stranger.mjs', import.meta.url), { workerData: { port, hellos, atOnce } });
  await once(stranger, 'exit');
}

/** Half of them made up, half real ones of which something was changed, cut off, repeated or put in between. */
export function randomHellos(real: readonly Uint8Array[], count: number, seed: number): Uint8Array[] {
  const length = fc.integer({ min: 0, max: 600 });
  const record = fc.tuple(fc.uint8Array({ maxLength: 700 }), length).map(([body, says]) => {
    const head = Buffer.from([22, 3, 1, says >> 8, says & 255]);
    return Buffer.concat([head, body]);
  });
  const madeUp = fc.oneof(fc.uint8Array({ maxLength: 700 }), record);
  const byte = fc.integer({ min: 0, max: 255 });
  const change = fc.tuple(fc.constantFrom('set', 'cut', 'insert', 'remove', 'repeat'), fc.nat(2000), byte);
  const mutated = fc
    .tuple(fc.constantFrom(...real), fc.array(change, { minLength: 1, maxLength: 6 }))
    .map(([hello, changes]) =>
      changes.reduce<Uint8Array>(
        (bytes, [kind, where, value]) => changed(bytes, kind, bytes.length === 0 ? 0 : where % bytes.length, value),
        hello,
      ),
    );
  return fc.sample(fc.oneof(madeUp, mutated), { numRuns: count, seed });
}

function changed(bytes: Uint8Array, kind: string, at: number, value: number): Uint8Array {
  const before = bytes.subarray(0, at);
  const after = bytes.subarray(at);
  switch (kind) {
    case 'set':
      return Buffer.concat([before, Buffer.of(value), after.subarray(1)]);
    case 'insert':
      return Buffer.concat([before, Buffer.of(value), after]);
    case 'remove':
      return Buffer.concat([before, after.subarray(1 + (value & 15))]);
    case 'repeat':
      return Buffer.concat([before, after.subarray(0, 64), after]);
    default:
      return before;
  }
}

export type SlowMode = 'headers' | 'body' | 'read';

/**
 * `slowhttptest` against the name, for so many seconds with so many connections; what it says at the end. It sends no
 * name in TLS, so haproxy does that part.
 */
export async function slowHttp(
  { hostname, port: edge }: { hostname: string; port: number },
  mode: SlowMode,
  connections: number,
  seconds: number,
): Promise<string> {
  await debianPackages('slowhttptest');
  const port = await haproxy([`server edge 127.0.0.1:${edge} ssl verify none sni str(${hostname}) alpn http/1.1`]);
  const flags = {
    headers: ['-H', '-i', '1'],
    body: ['-B', '-i', '1', '-s', '8192'],
    read: ['-X', '-w', '1', '-y', '1', '-n', '1', '-z', '1'],
  }[mode];
  const words = ['-c', `${connections}`, '-r', `${connections / 4}`, '-l', `${seconds}`, '-p', '3', ...flags];
  const child = spawn('slowhttptest', [...words, '-u', `http://127.0.0.1:${port}/echo`], {
    cwd: await temporaryFolder(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  child.stderr.on('data', (text: Buffer) => (said += text.toString()));
  await once(child, 'close');
  return stripVTControlCharacters(said);
}

/** Readers of something endless who never read; to be let go of by what comes back. */
export async function neverRead(target: Target, count: number): Promise<() => void> {
  const readers: IncomingMessage[] = [];
  for (let at = 0; at < count; at += 1) {
    readers.push((await openHttp1(target, { path: '/endless' })).on('error', () => {}).pause());
  }
  return () => {
    for (const reader of readers) reader.destroy();
  };
}
