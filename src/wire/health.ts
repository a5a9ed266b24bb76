// A link that has gone silent gives no other sign of it than unanswered pings: one every 15 seconds, and after two
// without an answer the link counts as dead.
import type { Http2Session } from 'node:http2';
import type { Clock, TimerHandle } from '../core/clock.ts';

export const pingEveryMs = 15_000;
export const maxMissedPings = 2;

/** Pings until the session closes or `onDead` was called. */
export function watchHealth(session: Http2Session, clock: Clock, onDead: () => void): void {
  let unanswered = 0;
  let timer: TimerHandle | undefined;

  const tick = (): void => {
    if (session.closed || session.destroyed) return;
    if (unanswered >= maxMissedPings) return onDead();
    unanswered += 1;
    session.ping((error) => {
      if (!error) unanswered = 0;
    });
    timer = clock.after(pingEveryMs, tick);
  };
  timer = clock.after(pingEveryMs, tick);
  session.once('close', () => timer?.cancel());
}
