// What differs between systems when small files are replaced and locked, and nothing else: Windows refuses to rename
// over or delete a file while somebody reads it, cannot fsync a folder and has no modes; Linux tells when a process began.
import { readFile, rename, rm, open } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { systemCode } from '../core/errors.ts';

const isWindows = process.platform === 'win32';

/** A virus scanner or a reader holds a file for milliseconds; after this the refusal is real. */
const busyMs = 2_000;

export const replaceFile = (from: string, to: string): Promise<void> => whileBusy(() => rename(from, to));

/** No error when there is nothing to remove. */
export const removeFile = (path: string): Promise<void> => whileBusy(() => rm(path, { force: true }));

/** Makes a rename in `folder` survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  if (isWindows) return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * A text that two processes with the same number do not share, as a number is used again; `undefined` where the
 * system does not say. Field 22 of /proc/<pid>/stat is the start in ticks since boot (proc(5)).
 */
export async function processStart(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined;
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined; // Gone, or /proc is not mounted.
  }
}

/** Whether a process with this number runs; one of another user counts. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}

async function whileBusy(act: () => Promise<void>): Promise<void> {
  const until = Date.now() + busyMs;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      const busy = ['EPERM', 'EACCES', 'EBUSY'].includes(systemCode(error) ?? '');
      if (!isWindows || !busy || Date.now() > until) throw error;
    }
    await wait(10);
  }
}
