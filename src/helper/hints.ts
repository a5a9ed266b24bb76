// Tells viewers *that* something changed, never what, and at most every 100 ms. Nobody watching: nothing is sent.
import type { Clock, TimerHandle } from '../core/clock.ts';
import type { Closable } from '../core/lifetime.ts';

/** Shortest time between two hints to one viewer. */
export const hintIntervalMs = 100;

export class Hints implements Closable {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #send: () => void;
  #timer: TimerHandle | undefined;
  #sentMs = -Infinity;
  #closed = false;

  constructor(clock: Clock, intervalMs: number, send: () => void) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#send = send;
  }

  /** Sends now when the last hint is old enough, else once when it is. */
  changed(): void {
    if (this.#timer || this.#closed) return;
    const waitMs = this.#sentMs + this.#intervalMs - this.#clock.now();
    // A clock that was set back must not silence a viewer.
    if (waitMs <= 0 || waitMs > this.#intervalMs) this.#fire();
    else this.#timer = this.#clock.after(waitMs, () => this.#fire());
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #fire(): void {
    this.#timer = undefined;
    this.#sentMs = this.#clock.now();
    this.#send();
  }
}
