// One at a time across processes, by a lock of the kernel's: it is gone the moment its holder dies, so there is
// no stale lock to judge. Node has no flock(2), hence the util-linux command that holds it for us.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Runs `work` while no other process runs inside the same lock file; waits for its turn.
 * @template T
 * @param {string} lockFile
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function exclusively(lockFile, work) {
  await mkdir(dirname(lockFile), { recursive: true });
  // `cat` lives as long as our end of its stdin, which the kernel closes even after kill -9.
  const holder = spawn('flock', ['--exclusive', lockFile, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'exit');
  const held = await Promise.race([once(holder.stdout, 'data'), ended.then(() => undefined)]);
  if (!held) throw new Error(`flock did not take ${lockFile}`);
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
