// macOS asks lsof, Windows asks netstat: their output is a stranger's text and read as such. Neither is given anything
// of the workspace.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { isLocal, maxListeners, type Listener } from './listener.ts';

const run = promisify(execFile);

/** How long the tool may take, and how much it may say. */
const bounds = { timeout: 5_000, maxBuffer: 4 * 1024 * 1024, windowsHide: true };

export async function lsofListeners(uid: number): Promise<Listener[]> {
  const { stdout } = await run('/usr/sbin/lsof', ['-nP', '-a', `-u${uid}`, '-iTCP', '-sTCP:LISTEN', '-Fpcn'], bounds);
  const found = parseLsof(stdout);
  return Promise.all(found.map(async (listener) => ({ ...listener, ...(await folderOf(listener.pid)) })));
}

/** `-F` output: a line for each field, `p` begins a process, `c` its command, `n` a socket. */
export function parseLsof(text: string): Listener[] {
  const found: Listener[] = [];
  let pid = 0;
  let command = '';
  for (const line of text.split('\n')) {
    const value = line.slice(1);
    if (line.startsWith('p')) [pid, command] = [Number(value), ''];
    if (line.startsWith('c')) command = value;
    const place = line.startsWith('n') ? placeIn(value) : undefined;
    if (place && isLocal(place.address) && Number.isInteger(pid) && found.length < maxListeners) {
      found.push({ ...place, pid, ...(command === '' ? {} : { command }) });
    }
  }
  return found;
}

async function folderOf(pid: number): Promise<{ cwd?: string }> {
  try {
    const { stdout } = await run('/usr/sbin/lsof', ['-a', `-p${pid}`, '-d', 'cwd', '-Fn'], bounds);
    const cwd = /^n(\/.*)$/m.exec(stdout)?.[1];
    return cwd === undefined ? {} : { cwd };
  } catch {
    return {}; // Ended meanwhile.
  }
}

/** Windows does not tell a process's folder; those of other users cannot be told from ours either. */
export async function netstatListeners(systemRoot: string): Promise<Listener[]> {
  const { stdout } = await run(`${systemRoot}\\System32\\netstat.exe`, ['-ano', '-p', 'TCP'], bounds);
  return parseNetstat(stdout);
}

export function parseNetstat(text: string): Listener[] {
  return text
    .split(/\r?\n/)
    .flatMap((line): Listener[] => {
      // The word for LISTENING is translated; a foreign port of 0 is not.
      const [, local = '', foreign, pid] = /^\s*TCP\s+(\S+)\s+(\S+:0)\s+\S+\s+(\d+)\s*$/i.exec(line) ?? [];
      const place = placeIn(local);
      return place && foreign !== undefined && isLocal(place.address) ? [{ ...place, pid: Number(pid) }] : [];
    })
    .slice(0, maxListeners);
}

function placeIn(text: string): { address: string; port: number } | undefined {
  const match = /^\[?([^\]]*?)\]?:(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  return match && port > 0 && port <= 65_535 ? { address: match[1] ?? '', port } : undefined;
}
