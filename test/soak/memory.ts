// What a process holds of the machine's memory, and how that grows with the calls it served.
import { readFile } from 'node:fs/promises';

export type MemorySample = { calls: number; bytes: number };

/** Resident bytes. Linux only; elsewhere 0. */
export async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

/** A line through what was seen after the first third, which is for warming up (least squares). */
export function slopeOf(samples: readonly MemorySample[]): { fromMiB: number; toMiB: number; kibPerCall: number } {
  const warm = samples.slice(Math.floor(samples.length / 3));
  if (warm.length < 2) return { fromMiB: 0, toMiB: 0, kibPerCall: 0 };
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const calls = mean(warm.map((sample) => sample.calls));
  const bytes = mean(warm.map((sample) => sample.bytes));
  const over = warm.reduce((sum, sample) => sum + (sample.calls - calls) * (sample.bytes - bytes), 0);
  const under = warm.reduce((sum, sample) => sum + (sample.calls - calls) ** 2, 0);
  const slope = over / under;
  const at = (sample: MemorySample): number => Math.round((bytes + slope * (sample.calls - calls)) / 1_048_576);
  return { fromMiB: at(warm[0]!), toMiB: at(warm.at(-1)!), kibPerCall: Math.round((slope / 1024) * 100) / 100 };
}
