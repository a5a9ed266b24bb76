// The chunks of a body, one after the other, at the pace of whoever takes them. What `for await` does too, but that makes
// an iterator, a signal and listeners for every kind of stream anew for each body, which costs more than a small answer.
import type { Readable } from 'node:stream';

/** May answer at once that it took the chunk, or after a while; or that it takes no more. */
export type TakeChunk = (chunk: Buffer) => Promise<void> | 'stop' | undefined;

/**
 * Resolves at the end, or after `take` has returned `stop`: the rest is for the caller to destroy. Rejects when the body
 * breaks off before its end, and with what `take` throws; never while `take` is still at work.
 */
export function eachChunk(body: Readable, take: TakeChunk): Promise<void> {
  return new Promise((resolve, reject) => {
    let taking: Promise<void> | undefined;
    let over = false;
    const settle = (how: () => void): void => {
      if (over) return;
      over = true;
      body.pause();
      if (taking) taking.then(how, reject);
      else how();
    };
    const brokenOff = (error?: Error): void =>
      settle(() => reject(body.errored ?? error ?? new Error('the body broke off before its end')));
    if (body.readableEnded) return resolve();
    if (body.closed) return brokenOff();
    body.on('data', (chunk: Buffer) => {
      if (over) return;
      let taken: ReturnType<TakeChunk>;
      try {
        taken = take(chunk);
      } catch (error) {
        return settle(() => reject(error));
      }
      if (taken === 'stop') return settle(resolve);
      if (!taken) return;
      body.pause();
      taking = taken;
      taken.then(
        () => {
          taking = undefined;
          if (!over) body.resume();
        },
        (error: unknown) => settle(() => reject(error)),
      );
    });
    body.on('end', () => settle(resolve));
    body.on('error', brokenOff); // Stays: a body that is destroyed later may still say why.
    body.on('close', () => brokenOff());
  });
}
