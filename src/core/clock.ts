// Time and chance are passed in, so that tests never sleep and never guess.

export type TimerHandle = { cancel(): void };

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `callback` once after `ms`. A timer never keeps the process alive. */
  after(ms: number, callback: () => void): TimerHandle;
}

/** A number in [0, 1), as `Math.random` gives it. */
export type Random = () => number;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer: unknown = setTimeout(callback, ms);
    (timer as { unref?: () => void }).unref?.(); // Absent in a browser.
    return { cancel: () => clearTimeout(timer as Parameters<typeof clearTimeout>[0]) };
  },
};

/** Resolves after `ms`; rejects with the signal's reason when that comes first. */
export function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
