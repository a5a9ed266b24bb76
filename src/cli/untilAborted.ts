// A command that stays up waits here. The wait itself keeps the process alive: what it serves may not.

export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const awake = setInterval(() => {}, 2 ** 30);
    signal.addEventListener('abort', () => (clearInterval(awake), resolve()), { once: true });
  });
}
