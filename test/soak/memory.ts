// What the tunnel's process holds, and how that grows with the calls it served. Judged is what is alive after garbage was
// collected, once every bound is full: that must not grow. Resident memory is told beside it; it also holds garbage that
// waits to be collected and the allocator's gaps, so it rises to what the busiest moments wanted and stays there.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../support/command.ts';
import { until } from '../support/until.ts';

/** `heldBytes`: the heap and what it holds outside of itself. */
export type MemorySample = { calls: number; heldBytes: number; residentBytes: number };

export type MemoryFigures = { held: Growth; resident: Growth; samples: number };
export type Growth = { fromMiB: number; toMiB: number; kibPerCall: number };

/** After so many calls the inspector's record is full (5,000 rows), with its list of changes (twice as many). */
export const callsUntilFull = 10_000;

export class MemoryProbe {
  readonly #path: string;
  readonly #samples: MemorySample[] = [];
  #asked = 0;
  #work: Promise<unknown> = Promise.resolve();

  constructor(folder: string) {
    this.#path = join(folder, 'memory.json');
  }

  /** Of the process that is watched. */
  get environment(): Record<string, string> {
    return { NODE_OPTIONS: `--require=${join(root, 'test/soak/memoryProbe.cjs')}`, SOAK_MEMORY: this.#path };
  }

  /** One at a time, in the order asked. */
  sample(pid: number, calls: number): Promise<MemorySample> {
    const sample = this.#work.then(() => this.#sample(pid, calls));
    this.#work = sample;
    return sample;
  }

  figures(): MemoryFigures {
    const last = this.#samples.at(-1)?.calls ?? 0;
    const from = last > callsUntilFull ? callsUntilFull : last / 3;
    const warm = this.#samples.filter(({ calls }) => calls >= from);
    return {
      held: growth(warm.map(({ calls, heldBytes }) => [calls, heldBytes])),
      resident: growth(warm.map(({ calls, residentBytes }) => [calls, residentBytes])),
      samples: warm.length,
    };
  }

  async #sample(pid: number, calls: number): Promise<MemorySample> {
    const asked = ++this.#asked;
    process.kill(pid, 'SIGUSR2');
    await until(async () => (await this.#read()).asked === asked, 60_000);
    const { heldBytes, residentBytes } = await this.#read();
    const sample = { calls, heldBytes, residentBytes };
    this.#samples.push(sample);
    return sample;
  }

  async #read(): Promise<{ asked: number; heldBytes: number; residentBytes: number }> {
    const text = await readFile(this.#path, 'utf8').catch(() => ''); // Not there before the first sample.
    return JSON.parse(text || '{"asked":0}');
  }
}

/** A line through the points (least squares). */
function growth(points: readonly (readonly [calls: number, bytes: number])[]): Growth {
  if (points.length < 2) return { fromMiB: 0, toMiB: 0, kibPerCall: 0 };
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanCalls = mean(points.map(([calls]) => calls));
  const meanBytes = mean(points.map(([, bytes]) => bytes));
  const over = points.reduce((sum, [calls, bytes]) => sum + (calls - meanCalls) * (bytes - meanBytes), 0);
  const under = points.reduce((sum, [calls]) => sum + (calls - meanCalls) ** 2, 0);
  const slope = over / under;
  const at = ([calls]: readonly [number, number]): number =>
    Math.round(((meanBytes + slope * (calls - meanCalls)) / 1_048_576) * 10) / 10;
  return { fromMiB: at(points[0]!), toMiB: at(points.at(-1)!), kibPerCall: Math.round((slope / 1024) * 1000) / 1000 };
}
