// A visitor's socket and its stream to the connector, joined: bytes pass both ways no faster than the slower side
// takes them, and each side's end passes on its own. The stream is never reset, whatever the visitor does.
import type { Clock } from '../core/clock.ts';
import type { VisitorStream } from '../wire/link.ts';
import type { EdgeCounters } from './edgeCounters.ts';
import type { EdgeLimits } from './edgeLimits.ts';
import type { VisitorEnd } from './elsewhere.ts';
import type { HeldBytes, Slow } from './heldBytes.ts';

/** A connection of which one direction has ended may be silent for so long in the other. */
export const halfClosedIdleMs = 60_000;

/** How long a visitor may take to close after the connector is done with it. */
export const lingerMs = 5000;

export type SpliceOptions = {
  clock: Clock;
  held: HeldBytes;
  /** Whose visitor it is: the connector. */
  tenant: string;
  limits: Pick<EdgeLimits, 'idleMs' | 'lifetimeMs'>;
  counters: Pick<EdgeCounters, 'idle' | 'overLifetime'>;
};

export function splice(socket: VisitorEnd, stream: VisitorStream, options: SpliceOptions): void {
  const { clock, held, tenant, limits, counters } = options;
  const slow: Slow = {
    tenant,
    held: () => stream.readableLength + socket.writableLength + (stream.unsentBytes ?? stream.writableLength),
    cut: () => socket.destroy(),
  };

  const caughtUp = (): void => {
    if (!socket.writableNeedDrain && !stream.writableNeedDrain) held.delete(slow);
  };

  socket.pipe(stream);
  socket.on('pause', () => {
    if (stream.writableNeedDrain) held.add(slow); // The connector, or its line, is behind.
  });
  stream.on('drain', caughtUp);
  stream.on('data', (chunk: Buffer) => {
    if (socket.destroyed || socket.write(chunk)) return;
    stream.pause();
    held.add(slow);
  });
  socket.on('drain', () => {
    caughtUp();
    stream.resume();
  });
  stream.once('end', () => socket.end());
  // Bytes both ways pass through the visitor's socket, so its silence is the silence of both.
  socket.setTimeout(limits.idleMs);
  for (const side of [socket, stream]) side.once('end', () => socket.setTimeout(halfClosedIdleMs));
  socket.once('timeout', () => {
    counters.idle += 1;
    cutOff(socket);
  });
  const lifetime = clock.after(limits.lifetimeMs, () => {
    counters.overLifetime += 1;
    cutOff(socket);
  });

  // The visitor is gone. What still comes for it is thrown away, or the connector could never finish sending it.
  socket.once('close', () => {
    lifetime.cancel();
    held.delete(slow);
    stream.end();
    stream.resume();
  });

  stream.once('close', () => {
    if (stream.rstCode !== 0) cutOff(socket);
    if (socket.destroyed) return;
    // Closing with unread bytes would reset the connection under the last answer, so they are read first.
    const linger = clock.after(lingerMs, () => socket.destroy());
    socket.once('close', () => linger.cancel());
    socket.end();
    socket.resume();
  });
}

/** It must not look like an end. */
function cutOff(socket: VisitorEnd): void {
  // A reset while the end is on its way fails and leaves the socket open for ever.
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
