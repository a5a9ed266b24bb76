// Linux: /proc/net/tcp says which sockets listen, /proc/PID/fd says whose they are. Reads only what belongs to this user.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isLocal, maxCommandLength, maxListeners, type Listener } from './listener.ts';

const LISTEN = '0A';

type Socket = { address: string; port: number; uid: number; inode: string };

/** Processes looked at; more are passed over. */
const maxProcesses = 10_000;

export async function procListeners(uid: number, proc = '/proc'): Promise<Listener[]> {
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => read(join(proc, 'net', name))));
  const sockets = tables
    .flatMap((table) => parseTable(table ?? ''))
    .filter((socket) => socket.uid === uid && isLocal(socket.address));
  const byInode = new Map(sockets.slice(0, maxListeners).map((socket) => [socket.inode, socket]));
  const found: Listener[] = [];
  const pids = (await list(proc)).filter((name) => /^\d+$/.test(name)).slice(0, maxProcesses);
  for (const pid of pids) {
    if (byInode.size === 0) break;
    const folder = join(proc, pid, 'fd');
    for (const fd of await list(folder)) {
      const inode = /^socket:\[(\d+)\]$/.exec(await link(join(folder, fd)))?.[1];
      const socket = inode === undefined ? undefined : byInode.get(inode);
      if (!socket) continue;
      byInode.delete(socket.inode); // Children hold it, too: the first, which is the oldest, stands for it.
      found.push(await described(proc, pid, socket));
    }
  }
  return found.sort((left, right) => left.port - right.port);
}

async function described(proc: string, pid: string, { address, port }: Socket): Promise<Listener> {
  const cwd = await link(join(proc, pid, 'cwd'));
  const command = ((await read(join(proc, pid, 'cmdline'))) ?? '').replaceAll('\0', ' ').trim();
  return {
    address,
    port,
    pid: Number(pid),
    ...(cwd === '' ? {} : { cwd }),
    ...(command === '' ? {} : { command: command.slice(0, maxCommandLength) }),
  };
}

/** Lines of /proc/net/tcp{,6} (proc_net_tcp.rst): local address as hex words in host order, state, uid, inode. */
export function parseTable(table: string): Socket[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state, , , , uid = '', , inode = ''] = line.trim().split(/\s+/);
      const [hex = '', port = ''] = local.split(':');
      const address = addressOf(hex);
      if (state !== LISTEN || address === undefined || !/^[0-9A-F]{1,4}$/i.test(port)) return [];
      return [{ address, port: Number.parseInt(port, 16), uid: Number(uid), inode }];
    });
}

/** Little-endian words, as on every machine that VS Code runs on. */
function addressOf(hex: string): string | undefined {
  if (!/^(?:[0-9A-F]{8}|[0-9A-F]{32})$/i.test(hex)) return undefined;
  const bytes = [...hex.matchAll(/.{8}/g)].flatMap(([word]) =>
    [6, 4, 2, 0].map((at) => Number.parseInt(word.slice(at, at + 2), 16)),
  );
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.every((byte) => byte === 0)) return '::';
  if (bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return '::1';
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  return isMapped ? `::ffff:${bytes.slice(12).join('.')}` : 'other';
}

async function list(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []); // Ended meanwhile, or another user's.
}

async function read(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined);
}

async function link(path: string): Promise<string> {
  return readlink(path).catch(() => '');
}
