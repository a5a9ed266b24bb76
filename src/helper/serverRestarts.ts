// Starts a tunnel's server anew, because a person asked for it or because its files changed. Its sessions stay; only
// what runs behind this tunnel is touched.
import type { Clock } from '../core/clock.ts';
import type { Closable } from '../core/lifetime.ts';
import { SourceWatch } from '../upstream/sourceWatch.ts';

/** What can be started anew. */
export type Restartable = { restart(why: string): void };

export type ServerRestartsOptions = {
  server: Restartable;
  /** Files, folders or patterns; relative to `cwd`. None: only when asked. */
  watch: readonly string[];
  cwd: string;
  clock: Clock;
  log: (message: string) => void;
};

export class ServerRestarts implements Closable {
  readonly #options: ServerRestartsOptions;
  readonly #watch: SourceWatch | undefined;

  constructor(options: ServerRestartsOptions) {
    this.#options = options;
    const { watch: paths, cwd, clock, log } = options;
    if (paths.length === 0) return;
    this.#watch = new SourceWatch({
      paths,
      cwd,
      clock,
      onChange: (file) => this.restart(`${file} changed`),
      onIncomplete: (why) => log(`not every change of the server’s files is seen: ${why}`),
    });
  }

  async start(): Promise<void> {
    await this.#watch?.start();
  }

  restart(why: string): void {
    this.#options.log(`the server is started anew: ${why}`);
    this.#options.server.restart(why);
  }

  close(): void {
    this.#watch?.close();
  }
}
