// What has passed lately: of a transfer from the other end the bytes under way cannot be seen from here, but those that
// just came say how busy the line is. Links of one route are compared by it, so it is coarse on purpose.

/** Bytes count half after so long: about as long as a far agent's window takes to come. */
const halfLifeMs = 200;

/** Below this a link is as good as idle, and the number of its visitors decides. */
const grainBytes = 16 * 1024;

export class RecentBytes {
  #bytes = 0;
  #atMs = 0;

  add(bytes: number, nowMs: number): void {
    this.#bytes = this.#at(nowMs) + bytes;
    this.#atMs = nowMs;
  }

  /** In whole grains. */
  count(nowMs: number): number {
    return Math.floor(this.#at(nowMs) / grainBytes) * grainBytes;
  }

  #at(nowMs: number): number {
    return this.#bytes * 0.5 ** (Math.max(0, nowMs - this.#atMs) / halfLifeMs);
  }
}
