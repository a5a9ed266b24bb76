// Time that moves when the test says so; timers run in their order on the way.
import type { Clock, TimerHandle } from '../../src/core/clock.ts';

export class FakeClock implements Clock {
  #now: number;
  readonly #timers = new Set<{ atMs: number; callback: () => void }>();

  constructor(nowMs = Date.UTC(2026, 0, 15)) {
    this.#now = nowMs;
  }

  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): TimerHandle {
    const timer = { atMs: this.#now + ms, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ atMs }) => atMs <= until).sort((a, b) => a.atMs - b.atMs);
      if (!next) break;
      this.#timers.delete(next);
      this.#now = next.atMs;
      next.callback();
    }
    this.#now = until;
  }
  /** The machine slept, or its clock was set: the time is another, and timers know nothing of it. */
  jump(ms: number): void {
    this.#now += ms;
    for (const timer of this.#timers) timer.atMs += ms;
  }
}
