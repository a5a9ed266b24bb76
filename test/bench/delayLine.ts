// A slow, far or lossy line for benchmarks: real TCP over packets that wait, queue and get lost (`delayLine.py`; CUBIC on both sides), in a
// network namespace of its own. It needs Linux, Python and /dev/net/tun, and nothing of netem, which many kernels lack.
//   if (!isInNamespace()) return runInNamespace();
//   const line = await DelayLine.open({ … });   listen at 127.0.0.1 or `nearAddress`, dial `farAddress` to cross the line
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Where a server listens that is reached over the line, on a port below `firstClientPort`. */
export const nearAddress = '10.77.0.1';

/** What is dialled to reach it over the line. */
export const farAddress = '10.77.0.2';

/** Ports from here on are the dialling side's: so the two directions are told apart. */
export const firstClientPort = 32_768;

export type LineOptions = {
  bitsPerSecond: number;
  roundTripMs: number;
  /** What waits in front of the line in each direction; the next packet is dropped. */
  bufferBytes: number;
  /** Share of packets that get lost, in each direction. */
  loss: number;
};

const mark = 'MCP_TUNNEL_BENCH_NAMESPACE';

export function isInNamespace(): boolean {
  return process.env[mark] !== undefined;
}

/** Runs this program again in a namespace of its own, and returns its exit code. */
export function runInNamespace(): number {
  const isRoot = process.getuid?.() === 0;
  const args = [isRoot ? '-n' : '-rn', process.execPath, ...process.argv.slice(1)];
  const { status, error } = spawnSync('unshare', args, { stdio: 'inherit', env: { ...process.env, [mark]: '1' } });
  if (error) throw error;
  return status ?? 1;
}

export class DelayLine {
  readonly #child: ChildProcess;

  static async open({ bitsPerSecond, roundTripMs, bufferBytes, loss }: LineOptions): Promise<DelayLine> {
    const script = join(process.cwd(), 'test', 'bench', 'delayLine.py');
    const args = [script, bitsPerSecond, roundTripMs / 2, bufferBytes, loss].map(String);
    const child = spawn('python3', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const [said] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as [unknown];
    if (!String(said).startsWith('ready')) throw new Error('the line could not be opened');
    return new DelayLine(child);
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  async close(): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await gone;
  }
}
