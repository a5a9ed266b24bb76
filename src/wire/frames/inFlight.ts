// How much may be under way on a line: enough to keep it busy, not so much that it queues up in front of it. Like BBR
// (Cardwell et al. 2016) in small: the largest delivery rate × the shortest round trip × 1.5, both measured from the
// other side's acknowledgements. Pure arithmetic: the time comes in.
import { linkWindowBytes } from '../windows.ts';

/** Bytes that may always be under way; a line slower than this in its round trip queues them. */
export const minInFlightBytes = 64 * 1024;

/** The other side acknowledges at least every so many bytes. */
export const ackEveryBytes = 32 * 1024;

/** How far beyond what the line holds: the slack between acknowledgements, and room to find out that it is faster. */
const gain = 1.5;

/** Round trips below this are counted as this: on a fast line the two processes are what takes the time. */
const minRoundTripMs = 4;

/** The shortest round trip is measured anew when it is so old: the path may have become longer. */
const roundTripAgeMs = 10_000;

/** The largest rate of so many round trips counts. */
const rateRounds = 10;

/** Sent and not acknowledged, with what was known when it was sent. */
type Mark = {
  end: number;
  sentMs: number;
  ackedBefore: number;
  ackedBeforeMs: number;
  /** The line was in use when it was sent. A little on an idle line says nothing against what was measured before. */
  full: boolean;
};

export class InFlight {
  readonly #marks: Mark[] = [];
  #sent = 0;
  #acked = 0;
  #ackedMs = 0;
  #limit = minInFlightBytes;
  #roundTripMs = Infinity;
  #roundTripAtMs = 0;
  /** While a fresh round trip is taken: where it began. */
  #probeEnd: number | undefined;
  /** The largest rates, in bytes a ms, of the last rounds; the newest round last. */
  readonly #rates: number[] = [0];
  #roundEnd = 0;

  /** Sent and not known to have arrived. */
  get bytes(): number {
    return this.#sent - this.#acked;
  }

  /** What may be under way now. */
  get limit(): number {
    return this.#probeEnd === undefined ? this.#limit : Math.min(this.#limit, minInFlightBytes);
  }

  get room(): number {
    return this.limit - this.bytes;
  }

  sent(bytes: number, nowMs: number): void {
    if (this.bytes === 0) this.#ackedMs = nowMs; // It was idle: the rate is measured from here.
    this.#sent += bytes;
    const full = this.bytes * 2 >= this.limit;
    const last = this.#marks.at(-1);
    if (last && last.full === full && last.sentMs === nowMs && this.#sent - last.end < ackEveryBytes / 2) {
      last.end = this.#sent;
    } else {
      const [ackedBefore, ackedBeforeMs] = [this.#acked, this.#ackedMs];
      this.#marks.push({ end: this.#sent, sentMs: nowMs, ackedBefore, ackedBeforeMs, full });
    }
  }

  /** `total` is modulo 2³². Returns false when it acknowledges what was never sent. */
  acked(total: number, nowMs: number): boolean {
    const news = (total - this.#acked) >>> 0;
    if (news > this.bytes) return false;
    if (news === 0) return true;
    this.#acked += news;
    this.#ackedMs = nowMs;
    let mark: Mark | undefined;
    while (this.#marks[0] && this.#marks[0].end <= this.#acked) mark = this.#marks.shift();
    if (mark) this.#learn(mark, nowMs);
    return true;
  }

  #learn(mark: Mark, nowMs: number): void {
    const roundTripMs = nowMs - mark.sentMs;
    const isOld = nowMs - this.#roundTripAtMs > roundTripAgeMs && this.#roundTripMs < Infinity;
    if (this.#probeEnd !== undefined && mark.end > this.#probeEnd) {
      // Sent when the line had been emptied: this is the round trip of today, shorter or longer.
      this.#probeEnd = undefined;
      this.#roundTripMs = roundTripMs;
      this.#roundTripAtMs = nowMs;
    } else if (roundTripMs <= this.#roundTripMs) {
      this.#roundTripMs = roundTripMs;
      this.#roundTripAtMs = nowMs;
    } else if (isOld && this.#probeEnd === undefined) this.#probeEnd = this.#sent;

    const rate = (this.#acked - mark.ackedBefore) / Math.max(nowMs - mark.ackedBeforeMs, 0.1);
    if (mark.full && this.#acked >= this.#roundEnd) {
      this.#roundEnd = this.#sent;
      this.#rates.push(0);
      if (this.#rates.length > rateRounds) this.#rates.shift();
    }
    const newest = this.#rates.length - 1;
    this.#rates[newest] = Math.max(this.#rates[newest]!, rate);
    const held = gain * Math.max(...this.#rates) * Math.max(this.#roundTripMs, minRoundTripMs);
    this.#limit = Math.round(Math.min(linkWindowBytes, Math.max(minInFlightBytes, held)));
  }
}
