// Processes as the system sees them, for tests that kill some and look for what they leave behind.
import { spawn } from 'node:child_process';

export type SystemProcess = { pid: number; parent: number; command: string };

/** Everything that runs, zombies left out. */
export async function processes(): Promise<SystemProcess[]> {
  const ps = spawn('ps', ['-axww', '-o', 'pid=,ppid=,stat=,args='], { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  for await (const chunk of ps.stdout) text += String(chunk);
  return [...text.matchAll(/^\s*(\d+)\s+(\d+)\s+([^Z\s]\S*)\s+(.*)$/gm)].map(([, pid, parent, , command]) => ({
    pid: Number(pid),
    parent: Number(parent),
    command: command ?? '',
  }));
}

/** What `parent` started itself and whose command line holds `words`. */
export async function childrenOf(parent: number, words = ''): Promise<number[]> {
  const all = await processes();
  return all.filter((entry) => entry.parent === parent && entry.command.includes(words)).map(({ pid }) => pid);
}

export async function isAlive(pid: number): Promise<boolean> {
  return (await processes()).some((entry) => entry.pid === pid);
}
