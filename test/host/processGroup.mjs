// A process group of our own: the server forks an extension host, a terminal host and whatever an extension starts,
// and ending the group ends them all. It also ends when the process that started it dies, however that dies.
import { spawn } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { until } from './until.mjs';

const gentleMs = 5_000;

// Descriptor 3 is a pipe that only we hold open: the kernel closes it with us, and `cat` comes to its end.
const withLifeline = '(cat <&3 >/dev/null; kill -TERM 0) & exec "$@" 3<&-';

export class ProcessGroup {
  #id;

  /** The group's first process. */
  leader;

  /**
   * @param {string} command
   * @param {readonly string[]} args
   * @param {{ cwd: string, env: Readonly<Record<string, string>>, output: number }} options `output`: a file descriptor
   */
  constructor(command, args, { cwd, env, output }) {
    this.leader = spawn('sh', ['-c', withLifeline, 'sh', command, ...args], {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', output, output, 'pipe'],
    });
    if (this.leader.pid === undefined) throw new Error('sh did not start');
    this.#id = this.leader.pid;
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
  }

  /** The ids of its living processes; a zombie may stay for a while where init is slow. @returns {Promise<number[]>} */
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
