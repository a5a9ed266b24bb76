// How processes of the same user reach a running helper or edge: a Unix socket in a folder that only this user can
// enter, a named pipe on Windows, lines of JSON-RPC on it. Never TCP. Both ends are here, so that they cannot differ.
import { chmod, lstat, readdir, unlink } from 'node:fs/promises';
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { systemCode, TunnelError } from '../core/errors.ts';
import { Peer, type Contract } from '../protocol/peer.ts';
import { linePort } from '../wire/linePort.ts';
import { ensureFolder } from './ensureFolder.ts';
import type { StatePaths } from './statePaths.ts';

/** Longest message on a control socket, and what may wait for a reader that does not read. */
export const controlLimits = { maxLineBytes: 16 * 1024 * 1024, maxQueuedBytes: 64 * 1024 * 1024 };

/** Peers connected at the same time; one more is closed on arrival. */
export const maxControlPeers = 32;

/** A process that does not take the connection within this time is not answering. */
export const connectTimeoutMs = 2_000;

/** How long a closing side waits for its last words to be read. */
export const endTimeoutMs = 500;

/**
 * Listens at `path` and hands each arriving peer to `onPeer`, which sets its handlers; it is started afterwards.
 * A socket that a dead process left is replaced; a live one is a `CONFLICT`. Throws `STATE_UNWRITABLE`.
 */
export async function serveControl<Mine extends Contract, Theirs extends Contract>(
  path: string,
  onPeer: (peer: Peer<Mine, Theirs>) => void,
): Promise<{ close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const peer = openPeer<Mine, Theirs>(socket);
    onPeer(peer);
    peer.start();
  });
  server.maxConnections = maxControlPeers;
  try {
    await preparePath(path);
    await listen(server, path);
    if (!isPipe(path)) await chmod(path, 0o600);
  } catch (cause) {
    server.close();
    if (cause instanceof TunnelError) throw cause;
    throw new TunnelError('STATE_UNWRITABLE', `no socket can be made at ${path} (${systemCode(cause) ?? 'unknown'})`, {
      cause,
      data: { path },
    });
  }
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const ended = new Promise<void>((resolve) => server.close(() => resolve())); // Removes the socket file, too.
    for (const socket of sockets) endSoon(socket);
    await ended;
  };
  return { close: () => (closing ??= close()) };
}

/** Connects to a running process; set the handlers, then `start`. Throws `CLOSED` when none listens there. */
export async function connectControl<Mine extends Contract, Theirs extends Contract>(
  path: string,
): Promise<Peer<Mine, Theirs>> {
  if (!isPipe(path)) await demandOurs(path);
  return openPeer<Mine, Theirs>(await dial(path));
}

/** The sockets of running helpers; those that dead ones left are removed. */
export async function findHelpers(paths: StatePaths): Promise<string[]> {
  const { folder, prefix } = paths.helperSockets;
  const names = await readdir(folder).catch(() => []);
  const sockets = names
    .filter((name) => name.startsWith(prefix))
    .map((name) => (isPipe(folder) ? folder + name : join(folder, name)));
  const live = await Promise.all(sockets.map(async (path) => ((await isListening(path)) ? [path] : [])));
  return live.flat();
}

/** Whether the helper of this id is running. */
export function isHelperAlive(paths: StatePaths, helperId: string): Promise<boolean> {
  return isListening(paths.helperSocket(helperId));
}

async function isListening(path: string): Promise<boolean> {
  try {
    (await dial(path)).destroy();
    return true;
  } catch (error) {
    const code = systemCode((error as Error).cause);
    // Refused means that the socket's process is dead; anything else may be a process that is busy.
    if (code === 'ECONNREFUSED' && !isPipe(path)) await unlink(path).catch(() => {});
    return code !== 'ECONNREFUSED' && code !== 'ENOENT' && code !== 'ENOTSOCK';
  }
}

function dial(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(path);
    const fail = (cause: unknown): void => {
      socket.destroy();
      reject(new TunnelError('CLOSED', `no running process answers at ${path}`, { cause }));
    };
    socket.setTimeout(connectTimeoutMs, () => fail(new TunnelError('TIMEOUT', 'it does not take the connection')));
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

/** Lets what was written leave; a reader that does not read is not waited for. */
function endSoon(socket: Socket): void {
  socket.destroySoon();
  const timer = systemClock.after(endTimeoutMs, () => socket.destroy());
  socket.once('close', () => timer.cancel());
}

function openPeer<Mine extends Contract, Theirs extends Contract>(socket: Socket): Peer<Mine, Theirs> {
  return new Peer<Mine, Theirs>(linePort(socket, controlLimits));
}

async function preparePath(path: string): Promise<void> {
  if (isPipe(path)) return;
  await ensureFolder(dirname(path));
  await demandOurs(path);
  if (await isListening(path)) throw new TunnelError('CONFLICT', `another running process listens at ${path}`);
}

/** A folder in the shared temporary folder could be somebody else's: then nothing is told to what listens in it. */
async function demandOurs(path: string): Promise<void> {
  const folder = dirname(path);
  const stat = await lstat(folder).catch(() => undefined);
  if (!stat) throw new TunnelError('CLOSED', `no running process answers at ${path}`);
  if (!stat.isDirectory() || stat.uid !== process.getuid?.()) {
    throw new TunnelError('STATE_UNWRITABLE', `${folder} is not a folder of this user: remove it`, {
      data: { path: folder },
    });
  }
  if ((stat.mode & 0o077) !== 0) await chmod(folder, 0o700);
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, readableAll: false, writableAll: false }, () => {
      server.off('error', reject);
      server.on('error', () => {}); // A connection that could not be accepted; the next one may be.
      resolve();
    });
  });
}

function isPipe(path: string): boolean {
  return path.startsWith('\\\\.\\pipe\\');
}
