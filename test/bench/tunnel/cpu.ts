// What processes have spent of the CPU, as the system counts it: in hundredths of a second, so only over long spans.
import { readFileSync } from 'node:fs';

/** Milliseconds, user and system together. */
export function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
}

function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
