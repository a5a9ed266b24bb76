// How often a crashed helper may be started again before a person is asked: enough for bad luck, too little for a loop.

/** The waits before the first, second and third restart within the window. */
export const restartDelaysMs: readonly number[] = [1_000, 2_000, 4_000];
export const restartWindowMs = 5 * 60_000;

export class RestartBudget {
  #restarts: number[] = [];

  /** How long to wait before the next start, or `undefined` when the budget is spent. */
  next(nowMs: number): number | undefined {
    this.#restarts = this.#restarts.filter((atMs) => nowMs - atMs < restartWindowMs);
    const delayMs = restartDelaysMs[this.#restarts.length];
    if (delayMs !== undefined) this.#restarts.push(nowMs);
    return delayMs;
  }

  reset(): void {
    this.#restarts = [];
  }
}
