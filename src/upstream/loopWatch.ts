// Tells a server that ends by itself after each start, which is given up, from one that others kill while it starts:
// an overloaded machine, or a developer who ends what is in the way, is no fault of the server.
import type { Exit } from './childProcess.ts';
import type { StdioLimits } from './stdioLimits.ts';

/** Signals that somebody sends; a crash has others. The kernel that is out of memory sends the first: `maxKills` bounds it. */
const SENT: ReadonlySet<NodeJS.Signals> = new Set(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP']);

export class LoopWatch {
  readonly #limits: Pick<StdioLimits, 'maxRestarts' | 'maxKills'>;
  /** Since it last served. */
  #starts = 0;
  #kills = 0;

  constructor(limits: Pick<StdioLimits, 'maxRestarts' | 'maxKills'>) {
    this.#limits = limits;
  }

  /** It answered, lived long, or its owner wants it anew: what was before does not count. */
  served(): void {
    this.#starts = 0;
    this.#kills = 0;
  }

  /** Not by us. True when somebody ended it, before it had served. */
  ended({ signal }: Exit): boolean {
    if (this.#starts === 0 || signal === null || !SENT.has(signal)) return false;
    this.#kills += 1;
    return true;
  }

  /** Whether to start it once more: at once for the first time, then after a pause, at last never. */
  next(): 'now' | 'later' | 'never' {
    const { maxRestarts, maxKills } = this.#limits;
    this.#starts += 1;
    if (this.#starts - Math.min(this.#kills, maxKills) > maxRestarts) return 'never';
    return this.#starts === 1 ? 'now' : 'later';
  }
}
