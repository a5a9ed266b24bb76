// How much may be under way on a line: enough to keep it busy, not so much that it queues up in front of it. Like BBR
// (Cardwell et al. 2016) in small: the largest delivery rate × the shortest round trip × 1.5. The rate is measured from
// the other side's acknowledgements over one round trip at a time, so that a stall for a lost packet, after which all
// that had arrived is handed over at once, does not look like a slow line. Pure arithmetic: the time comes in.
import { linkWindowBytes } from '../windows.ts';
import { maxDataBytes } from './frame.ts';

/** Bytes that may always be under way; a line slower than this in its round trip queues them. */
export const minInFlightBytes = 64 * 1024;

/**
 * The other side acknowledges at least every so many bytes: a whole frame. What waits for an acknowledgement that is not
 * due yet is room that the sender lacks, and with little under way a line would not be seen to take more.
 */
export const ackEveryBytes = maxDataBytes;

/** How far beyond what the line holds: the slack between acknowledgements, and room to find out that it is faster. */
const gain = 1.5;

/** Round trips below this are counted as this: on a fast line it is the two processes that take the time. */
const minRoundTripMs = 4;

/** Before the first ping is answered. */
const guessedRoundTripMs = 20;

/** The shortest round trip is measured anew when it is so old and the line is in use: the path may have become longer. */
export const roundTripAgeMs = 10_000;

/** The largest rate of so many round trips counts. */
const rateRounds = 10;

/** Acknowledgements that are remembered for one round trip; at the limit every other one is forgotten. */
const maxAcks = 512;

type Ack = { atMs: number; total: number };

export class InFlight {
  #sent = 0;
  #acked = 0;
  #limit = minInFlightBytes;
  #roundTripMs: number | undefined;
  #roundTripAtMs = 0;
  #probe: 'none' | 'draining' | 'asked' = 'none';
  /** The last ones: from about one round trip ago until now. */
  #acks: Ack[] = [];
  /** The largest rates, in bytes a ms, of the last rounds; the newest round last. */
  readonly #rates: number[] = [0];
  #roundEndsMs = 0;
  /** The line was in use in this round. A little on an idle line says nothing against what was measured before. */
  #roundIsFull = false;

  /** Sent and not known to have arrived. */
  get bytes(): number {
    return this.#sent - this.#acked;
  }

  /** What may be under way now. */
  get limit(): number {
    return this.#probe === 'none' ? this.#limit : Math.min(this.#limit, minInFlightBytes);
  }

  get room(): number {
    return this.limit - this.bytes;
  }

  sent(bytes: number, nowMs: number): void {
    if (this.bytes === 0) this.#acks = [{ atMs: nowMs, total: this.#acked }]; // Idleness is no part of the rate.
    this.#sent += bytes;
    if (this.bytes * 2 >= this.limit) this.#roundIsFull = true;
  }

  /** `total` is modulo 2³². Returns false when it acknowledges what was never sent. */
  acked(total: number, nowMs: number): boolean {
    const news = (total - this.#acked) >>> 0;
    if (news > this.bytes) return false;
    if (news === 0) return true;
    this.#acked += news;
    this.#learnRate(nowMs);
    if (this.#probe === 'none' && this.#roundTripMs !== undefined && nowMs - this.#roundTripAtMs > roundTripAgeMs) {
      this.#probe = 'draining';
    }
    return true;
  }

  /** Asked after everything that was sent: true when a ping should go out now, to be told by `roundTrip`. */
  takePing(): boolean {
    if (this.#probe !== 'draining' || this.bytes > minInFlightBytes) return false;
    this.#probe = 'asked';
    return true;
  }

  /** A ping was answered after so long. */
  roundTrip(tookMs: number, nowMs: number): void {
    const isNew = this.#probe === 'asked' || this.#roundTripMs === undefined || tookMs <= this.#roundTripMs;
    this.#probe = this.#probe === 'asked' ? 'none' : this.#probe;
    if (!isNew) return;
    this.#roundTripMs = tookMs;
    this.#roundTripAtMs = nowMs;
    this.#setLimit();
  }

  get #windowMs(): number {
    return Math.max(this.#roundTripMs ?? guessedRoundTripMs, minRoundTripMs);
  }

  #learnRate(nowMs: number): void {
    const acks = this.#acks;
    acks.push({ atMs: nowMs, total: this.#acked });
    // The newest that is a round trip old stays in front.
    while (acks.length > 2 && nowMs - acks[1]!.atMs >= this.#windowMs) acks.shift();
    if (acks.length > maxAcks) this.#acks = acks.filter((_, index) => index % 2 === 0);
    const tookMs = nowMs - acks[0]!.atMs;
    if (tookMs < this.#windowMs) return; // Its round trip is not over.

    if (nowMs >= this.#roundEndsMs) {
      this.#roundEndsMs = nowMs + this.#windowMs;
      if (this.#roundIsFull) this.#rates.push(0);
      if (this.#rates.length > rateRounds) this.#rates.shift();
      this.#roundIsFull = false;
    }
    const newest = this.#rates.length - 1;
    this.#rates[newest] = Math.max(this.#rates[newest]!, (this.#acked - acks[0]!.total) / tookMs);
    this.#setLimit();
  }

  #setLimit(): void {
    const held = gain * Math.max(...this.#rates) * this.#windowMs;
    this.#limit = Math.round(Math.min(linkWindowBytes, Math.max(minInFlightBytes, held)));
  }
}
