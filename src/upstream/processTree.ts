// Ends a server with everything it started; the one file where the systems differ in how. On POSIX a server leads a
// process group of its own; what left that group (a browser, a daemon) is found by its parents. On Windows taskkill
// walks the tree.
import { execFile } from 'node:child_process';
import { open, readdir } from 'node:fs/promises';
import { delay, type Clock } from '../core/clock.ts';

export type TreeTimes = {
  /** From the polite signal to the one that cannot be ignored. */
  termMs: number;
  /** How long the kernel may take after that; then we stop waiting. */
  killMs: number;
};

const POLL_MS = 20;

/** What is read of a process's line; the fields wanted are its first half. */
const STAT_BYTES = 1_024;

export type Stray = { pid: number; startedAt: string };

/**
 * Resolves when nothing of the tree is left, or `killMs` after it was killed. `hasExited` tells whether the leader is
 * gone; its group, and the `strays` that were found while it lived, may still be there.
 */
export async function endProcessTree(
  pid: number,
  hasExited: () => boolean,
  strays: Stray[],
  clock: Clock,
  times: TreeTimes,
): Promise<void> {
  if (process.platform === 'win32') return endWithTaskkill(pid, hasExited, clock, times);
  const isGone = async (): Promise<boolean> => hasExited() && !(await groupLives(pid)) && !(await anyLives(strays));

  if (await isGone()) return;
  await signalAll(pid, strays, 'SIGTERM');
  if (await eventually(isGone, clock, times.termMs)) return;
  const all = hasExited() ? strays : [...strays, ...(await findStrays(pid))];
  await signalAll(pid, all, 'SIGKILL');
  await eventually(isGone, clock, times.killMs);
}

/** Whether the group led by `pid` still has a process that runs. */
async function groupLives(pid: number): Promise<boolean> {
  if (!signalGroup(pid, 0)) return false;
  if (process.platform !== 'linux') return true;
  // Dead members that nobody reaped (a container whose first process does not) still answer signal 0.
  const table = await processTable();
  return table.some((entry) => entry.group === pid && entry.state !== 'Z');
}

async function signalAll(pid: number, strays: readonly Stray[], signal: NodeJS.Signals): Promise<void> {
  signalGroup(pid, signal);
  if (strays.length === 0) return;
  const table = await processTable();
  for (const stray of strays) {
    if (table.some((entry) => isSame(entry, stray))) signalOne(stray.pid, signal);
  }
}

async function anyLives(strays: readonly Stray[]): Promise<boolean> {
  if (strays.length === 0) return false;
  const table = await processTable();
  return strays.some((stray) => table.some((entry) => isSame(entry, stray) && entry.state !== 'Z'));
}

/** A number alone is no identity: it is given again. */
function isSame(entry: ProcessEntry, member: Stray): boolean {
  return entry.pid === member.pid && entry.startedAt === member.startedAt;
}

/**
 * Descendants of `root` that left its process group. Only a living `root` can be asked: later nobody knows whose they
 * were.
 */
export async function findStrays(root: number): Promise<Stray[]> {
  if (process.platform === 'win32') return [];
  const table = await processTable();
  const tree = new Set([root]);
  for (let grown = true; grown;) {
    grown = false;
    for (const { pid, parent } of table) {
      if (!tree.has(parent) || tree.has(pid)) continue;
      tree.add(pid);
      grown = true;
    }
  }
  return table.filter(({ pid, group }) => pid !== root && tree.has(pid) && group !== root);
}

type ProcessEntry = Stray & { parent: number; group: number; state: string };

async function processTable(): Promise<ProcessEntry[]> {
  return process.platform === 'linux' ? fromProc() : fromPs();
}

/** proc(5): the name in parentheses may hold anything, so fields are counted from the last one. */
async function fromProc(): Promise<ProcessEntry[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const entries = await Promise.all(
    pids.map(async (pid): Promise<ProcessEntry | undefined> => {
      try {
        const text = await readStart(`/proc/${pid}/stat`);
        const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
        const [state = '', parent, group] = fields;
        return { pid: Number(pid), state, parent: Number(parent), group: Number(group), startedAt: fields[19] ?? '' };
      } catch {
        return undefined; // It ended while we looked.
      }
    }),
  );
  return entries.filter((entry) => entry !== undefined);
}

/** `readFile` would take 64 KiB for a file whose size nobody knows, for each process of the machine at once. */
async function readStart(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(STAT_BYTES), 0, STAT_BYTES);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function fromPs(): Promise<ProcessEntry[]> {
  const text = await run('ps', ['-axo', 'pid=,ppid=,pgid=,stat=,lstart=']);
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line);
    if (!match) return [];
    const [, pid, parent, group, state = '', startedAt = ''] = match;
    return [{ pid: Number(pid), parent: Number(parent), group: Number(group), state: state.slice(0, 1), startedAt }];
  });
}

async function endWithTaskkill(pid: number, hasExited: () => boolean, clock: Clock, times: TreeTimes): Promise<void> {
  // Without /F taskkill only asks windows to close, which a console program has none of.
  await run('taskkill', ['/PID', String(pid), '/T', '/F']);
  await eventually(() => Promise.resolve(hasExited()), clock, times.killMs);
}

/** The output, empty when the program fails: what it was asked about is gone then. */
function run(file: string, args: string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(file, args, { windowsHide: true, maxBuffer: 16 * 1024 * 1024 }, (_error, stdout) => resolve(stdout));
  });
}

async function eventually(isDone: () => Promise<boolean>, clock: Clock, withinMs: number): Promise<boolean> {
  for (let waited = 0; ; waited += POLL_MS) {
    if (await isDone()) return true;
    if (waited >= withinMs) return false;
    await delay(clock, POLL_MS);
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  return signalOne(-pid, signal);
}

function signalOne(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(target, signal);
  } catch {
    return false; // ESRCH: nobody is left. EPERM: it changed its user, and we may not.
  }
}
