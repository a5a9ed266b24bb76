/** What `work` gives, or the signal's reason as soon as it is aborted, for work that knows nothing of signals. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((settle, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    work.then(settle, reject);
  });
}
