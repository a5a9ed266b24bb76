// Whoever opens, closes. A Lifetime remembers what was opened and closes it once, in reverse order.
// What arrives after the close is closed on arrival, so that a late callback cannot leak.

export interface Closable {
  close(): void | Promise<void>;
}

export class Lifetime implements Closable {
  readonly #owned: Closable[] = [];
  readonly #controller = new AbortController();
  #closing: Promise<void> | undefined;

  /** Aborted as the first step of {@link close}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  add<T extends Closable>(closable: T): T {
    if (this.#closing) void closeQuietly(closable);
    else this.#owned.push(closable);
    return closable;
  }

  /** Runs `undo` at the close; at once when that has happened already. */
  defer(undo: () => void | Promise<void>): void {
    this.add({ close: undo });
  }

  /** Forgets `closable` without closing it: it ended by itself. */
  drop(closable: Closable): void {
    const index = this.#owned.lastIndexOf(closable);
    if (index >= 0) this.#owned.splice(index, 1);
  }

  /**
   * Idempotent; waits for everything. One failing close does not keep the others from closing:
   * the first failure is thrown at the end.
   */
  close(): Promise<void> {
    if (this.#closing) return this.#closing;
    // Set before anybody hears of it: what the signal's listeners add or close must find a closing lifetime.
    const { promise, resolve, reject } = withResolvers();
    this.#closing = promise;
    this.#controller.abort();
    this.#closeAll().then(resolve, reject);
    return promise;
  }

  async #closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (let closable = this.#owned.pop(); closable; closable = this.#owned.pop()) {
      try {
        await closable.close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

async function closeQuietly(closable: Closable): Promise<void> {
  try {
    await closable.close();
  } catch {
    // It came too late: nobody is left to hear of it.
  }
}

/** `Promise.withResolvers` (ES2024), which Node 20 does not have. */
function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } {
  let resolve!: () => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
