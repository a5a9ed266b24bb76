// A process group of our own: the server forks an extension host, a terminal host and whatever an extension starts,
// and ending the group ends them all. Counts only the living, for an orphan's zombie may stay where init does not reap.
import { readFile, readdir } from 'node:fs/promises';
import { until } from './until.mjs';

const gentleMs = 5_000;

export class ProcessGroup {
  #id;
  #killNow = () => this.#signal('SIGKILL');

  /** @param {import('node:child_process').ChildProcess} leader spawned with `detached: true` */
  constructor(leader) {
    if (leader.pid === undefined) throw new Error(`${leader.spawnfile} did not start`);
    this.#id = leader.pid;
    // Whoever ends this process without closing must not leave a server behind.
    process.once('exit', this.#killNow);
  }

  /** Asks the group to end, makes it end, and answers when no process of it lives. */
  async close() {
    this.#signal('SIGTERM');
    const gone = async () => (await this.members()).length === 0;
    await until('the process group to end when asked', gone, gentleMs).catch(async () => {
      // Asked and not gone in time: SIGKILL is the answer, and the next line waits for it.
      this.#signal('SIGKILL');
      await until('the process group to end', gone, gentleMs);
    });
    process.off('exit', this.#killNow);
  }

  /** The ids of its living processes. @returns {Promise<number[]>} */
  async members() {
    const ids = (await readdir('/proc')).map(Number).filter((id) => id > 0);
    const stats = await Promise.all(ids.map((id) => readFile(`/proc/${id}/stat`, 'latin1').catch(() => '')));
    return ids.filter((_, index) => isAliveIn(this.#id, stats[index] ?? ''));
  }

  /** @param {NodeJS.Signals} signal */
  #signal(signal) {
    try {
      process.kill(-this.#id, signal);
    } catch (error) {
      // ESRCH: the whole group is gone already, which is what a signal wants.
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
    }
  }
}

/**
 * proc(5): `pid (name) state ppid pgrp …`, where the name may hold anything, a parenthesis too.
 * @param {number} group
 * @param {string} stat
 */
function isAliveIn(group, stat) {
  const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(pgrp) === group && state !== 'Z' && state !== 'X';
}
