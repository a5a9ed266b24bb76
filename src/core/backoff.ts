// How long to wait before trying again: exponential growth with full jitter
// (a delay drawn evenly from zero to the ceiling), so that many clients do not come back at once.
import type { Random } from './clock.ts';

export type BackoffOptions = { baseMs: number; maxMs: number; random: Random };

export class Backoff {
  readonly #options: BackoffOptions;
  #attempt = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  get attempt(): number {
    return this.#attempt;
  }

  /** The delay before the next attempt, in milliseconds. */
  next(): number {
    const { baseMs, maxMs, random } = this.#options;
    const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt += 1;
    return Math.floor(random() * ceiling);
  }

  /** After a success that lasted: the next failure starts from the base again. */
  reset(): void {
    this.#attempt = 0;
  }
}
