// Chance from a seed, and bytes drawn from it: what is sent is known at the other end without being kept.
import { createHash } from 'node:crypto';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../../src/core/clock.ts';

/** mulberry32 */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Mostly small, sometimes around the sizes of frames and windows, sometimes large. */
export function someSize(random: Random, most: number): number {
  const kind = random();
  if (kind < 0.1) return 0;
  if (kind < 0.5) return Math.floor(random() * 2000);
  if (kind < 0.7) return 16_384 + Math.floor(random() * 5) - 2;
  if (kind < 0.9) return 65_535 + Math.floor(random() * 5) - 2;
  return Math.floor(random() * most);
}

/** The bytes that a seed stands for, in pieces of any size with pauses between; `cutAt` ends it with an error. */
export async function* bytesOf(seed: number, length: number, cutAt = Infinity): AsyncGenerator<Buffer> {
  const random = seeded(seed);
  for (let at = 0; at < length;) {
    const piece = Buffer.alloc(Math.min(length - at, 1 + Math.floor(random() * (random() < 0.8 ? 70_000 : 100))));
    piece.fill(Math.floor(random() * 256));
    if (at + piece.length > cutAt) throw new Error('cut on purpose');
    yield piece;
    at += piece.length;
    if (random() < 0.1) await pause(random() * 4);
    else if (random() < 0.3) await turn();
  }
}

export async function hashOf(bytes: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of bytes) hash.update(piece);
  return hash.digest('hex');
}
