// A lock that holds across processes: a file beside the locked one, created exclusively, that says who holds it.
// The lock of a process that died is taken over; waiting has an end; whoever waits too long learns who holds it.
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { systemCode, TunnelError } from '../core/errors.ts';
import { isRunning, processStart, removeFile } from './platformFiles.ts';

/** A change takes milliseconds; whoever holds the lock for longer hangs. */
const lockWaitMs = 10_000;

/** A holder in another container or on another machine cannot be looked at; after this its lock counts as left behind. */
export const foreignLockMs = 60_000;

/** A lock file that says nothing belongs to a process that was killed between creating and writing it. */
export const silentLockMs = 2_000;

const pollMs = 20;

type Holder = { id: string; pid: number; start: string | null; host: string };

/** Resolves with the function that lets go. Throws `CONFLICT` after `waitMs`, or the system's error. */
export async function lockFile(path: string, waitMs = lockWaitMs): Promise<() => Promise<void>> {
  const lock = `${path}.lock`;
  const start = await processStart(process.pid);
  const until = performance.now() + waitMs;
  for (;;) {
    const mine = create(lock, start);
    if (mine !== undefined) return () => letGo(lock, mine);
    const gone = await goneHolder(lock);
    if (gone !== undefined) await takeAway(lock, gone, until);
    else if (performance.now() > until) throw await held(path, lock);
    else await wait(pollMs * (0.5 + Math.random()));
  }
}

/** Whether somebody who lives holds the lock; what a dead process left is no lock. */
export async function isLocked(path: string): Promise<boolean> {
  const lock = `${path}.lock`;
  return (await look(lock)) !== undefined && (await goneHolder(lock)) === undefined;
}

/** Our id; `undefined` when somebody else holds it. Without an await, so that the file is silent for microseconds only. */
function create(lock: string, start: string | undefined): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(lock, 'wx', 0o600);
  } catch (error) {
    const code = systemCode(error);
    // Windows answers EPERM or EACCES while a deleted lock is still open somewhere.
    if (code === 'EEXIST' || (process.platform === 'win32' && (code === 'EPERM' || code === 'EACCES')))
      return undefined;
    throw error;
  }
  const holder: Holder = {
    id: randomBytes(8).toString('hex'),
    pid: process.pid,
    start: start ?? null,
    host: hostname(),
  };
  try {
    writeSync(descriptor, JSON.stringify(holder));
  } finally {
    closeSync(descriptor);
  }
  return holder.id;
}

/** Only our own: whoever was stopped for so long that its lock was taken over must not remove the next one's. */
async function letGo(lock: string, id: string): Promise<void> {
  if ((await look(lock))?.id === id) await removeFile(lock);
}

/** The id of a lock whose holder is gone; `undefined` while it lives or when there is no lock. */
async function goneHolder(lock: string): Promise<string | undefined> {
  const found = await look(lock);
  if (!found) return undefined;
  const { holder, id, ageMs } = found;
  if (!holder) return ageMs > silentLockMs ? id : undefined;
  if (holder.host !== hostname()) return ageMs > foreignLockMs ? id : undefined;
  if (!isRunning(holder.pid)) return id;
  const start = await processStart(holder.pid);
  return start !== undefined && holder.start !== null && start !== holder.start ? id : undefined;
}

/**
 * Removes the lock `id`, whose holder is gone. Two waiters may see the same dead holder, and the slower one must not
 * remove the lock that the faster one has made since: so only who holds the lock named after `id` may remove it,
 * and looks again first.
 */
async function takeAway(lock: string, id: string, until: number): Promise<void> {
  const done = await lockFile(`${lock}.${id}`, Math.max(0, until - performance.now()));
  try {
    if ((await look(lock))?.id === id) await removeFile(lock);
  } finally {
    await done();
  }
}

async function look(lock: string): Promise<{ id: string; holder: Holder | undefined; ageMs: number } | undefined> {
  try {
    const [text, { ino, mtimeMs }] = await Promise.all([readFile(lock, 'utf8'), stat(lock)]);
    const holder = parseHolder(text);
    return { id: holder?.id ?? `${ino}-${Math.floor(mtimeMs)}`, holder, ageMs: Date.now() - mtimeMs };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Holder;
    const isOurs = /^[0-9a-f]{16}$/.test(holder.id) && Number.isSafeInteger(holder.pid) && holder.pid > 0;
    return isOurs ? holder : undefined;
  } catch {
    return undefined; // Half written, or not ours.
  }
}

async function held(path: string, lock: string): Promise<TunnelError> {
  const holder = (await look(lock))?.holder;
  const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process';
  return new TunnelError('CONFLICT', `${who} holds ${path}: try again, or end that process if it hangs`, {
    retryable: true,
    data: { path, lock },
  });
}
