// A link that has gone silent gives no other sign of it than unanswered pings: one every 15 seconds, and after two
// without an answer the link counts as dead.
import type { Clock, TimerHandle } from '../core/clock.ts';

export const pingEveryMs = 15_000;
export const maxMissedPings = 2;

export type Pinged = {
  readonly closed: boolean;
  ping(answered: () => void): void;
};

/** Pings until it is stopped, or the link has closed, or `onDead` was called. Returns what stops it. */
export function watchHealth(link: Pinged, clock: Clock, onDead: () => void): () => void {
  let unanswered = 0;
  let timer: TimerHandle | undefined;

  const tick = (): void => {
    if (link.closed) return;
    if (unanswered >= maxMissedPings) return onDead();
    unanswered += 1;
    link.ping(() => (unanswered = 0));
    timer = clock.after(pingEveryMs, tick);
  };
  timer = clock.after(pingEveryMs, tick);
  return () => timer?.cancel();
}

/** An HTTP/2 session, as far as it is pinged. */
type Http2Pinged = {
  readonly closed: boolean;
  readonly destroyed: boolean;
  ping(callback: (error: Error | null) => void): boolean;
  once(event: 'close', listener: () => void): unknown;
};

export function watchHttp2Health(session: Http2Pinged, clock: Clock, onDead: () => void): void {
  const pinged: Pinged = {
    get closed() {
      return session.closed || session.destroyed;
    },
    ping: (answered) =>
      void session.ping((error) => {
        if (!error) answered();
      }),
  };
  session.once('close', watchHealth(pinged, clock, onDead));
}
