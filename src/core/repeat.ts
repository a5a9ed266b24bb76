// Work that is done again and again: the next time begins when this one is over and `everyMs` have passed.
import type { Clock } from './clock.ts';

/** `work` says itself what goes wrong; the next time comes all the same. Closing lets what goes on end. */
export function repeat(clock: Clock, everyMs: number, work: () => Promise<void>): { close(): void } {
  let closed = false;
  const tick = async (): Promise<void> => {
    await work().catch(() => {}); // It was told.
    if (!closed) timer = later();
  };
  const later = (): { cancel(): void } => clock.after(everyMs, () => void tick());
  let timer = later();
  return {
    close() {
      closed = true;
      timer.cancel();
    },
  };
}
