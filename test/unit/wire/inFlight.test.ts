import { describe, expect, it } from 'vitest';
import { ackEveryBytes, InFlight, minInFlightBytes, roundTripAgeMs } from '../../../src/wire/frames/inFlight.ts';
import { linkWindowBytes } from '../../../src/wire/windows.ts';

/** A line of a rate and a round trip, and a sender that always has more: in steps of a tenth of a millisecond. */
class Line {
  readonly inFlight = new InFlight();
  nowMs = 1000;
  arrived = 0;
  #acknowledged = 0;
  #freeMs = 0;
  readonly #arrivals: { atMs: number; bytes: number }[] = [];
  readonly #acks: { atMs: number; total: number }[] = [];
  rate: number;
  roundTripMs: number;

  /** `rate` in bytes a millisecond. */
  constructor(rate: number, roundTripMs: number) {
    this.rate = rate;
    this.roundTripMs = roundTripMs;
    this.inFlight.roundTrip(roundTripMs, this.nowMs);
  }

  run(forMs: number, isBusy = true): void {
    for (const end = this.nowMs + forMs; this.nowMs < end; this.nowMs += 0.1) {
      if (isBusy) while (this.inFlight.room > 0) this.send(16_376);
      while (this.#arrivals[0] && this.#arrivals[0].atMs <= this.nowMs) {
        this.arrived += this.#arrivals.shift()!.bytes;
        if (this.arrived - this.#acknowledged < ackEveryBytes) continue;
        this.#acknowledged = this.arrived;
        this.#acks.push({ atMs: this.nowMs + this.roundTripMs / 2, total: this.arrived % 2 ** 32 });
      }
      while (this.#acks[0] && this.#acks[0].atMs <= this.nowMs) {
        expect(this.inFlight.acked(this.#acks.shift()!.total, this.nowMs)).toBe(true);
        if (this.inFlight.takePing()) this.inFlight.roundTrip(this.roundTripMs, this.nowMs + this.roundTripMs);
      }
    }
  }

  send(bytes: number): void {
    this.inFlight.sent(bytes, this.nowMs);
    this.#freeMs = Math.max(this.nowMs, this.#freeMs) + bytes / this.rate;
    this.#arrivals.push({ atMs: this.#freeMs + this.roundTripMs / 2, bytes });
  }
}

describe('what may be under way', () => {
  it('begins at the least there is, and never goes below', () => {
    const line = new Line(10, 40); // 80 kbit/s
    expect(line.inFlight.limit).toBe(minInFlightBytes);
    line.run(60_000);
    expect(line.inFlight.limit).toBe(minInFlightBytes);
  });

  it.each([
    ['20 Mbit/s, 40 ms', 2500, 40],
    ['200 Mbit/s, 40 ms', 25_000, 40],
    ['100 Mbit/s, 150 ms', 12_500, 150],
  ])('comes to one and a half times what the line holds: %s', (_name, rate, roundTripMs) => {
    const line = new Line(rate, roundTripMs);
    line.run(40 * roundTripMs);
    const holds = rate * roundTripMs;
    expect(line.inFlight.limit).toBeGreaterThan(1.3 * holds);
    expect(line.inFlight.limit).toBeLessThan(1.9 * holds);
    const before = line.arrived;
    line.run(1000);
    expect(line.arrived - before).toBeGreaterThan(950 * rate); // The line is busy.
  });

  it('never passes the window of the link', () => {
    const line = new Line(1e6, 200);
    line.run(6000);
    expect(line.inFlight.limit).toBe(linkWindowBytes);
  });

  it('follows a line that has become slower, and one that has become longer', () => {
    const line = new Line(2500, 40);
    line.run(2000);
    line.rate = 1000;
    line.run(4000);
    expect(line.inFlight.limit).toBeLessThan(1.9 * 1000 * 40 + minInFlightBytes / 2);
    line.rate = 2500;
    line.roundTripMs = 160;
    line.run(2 * roundTripAgeMs);
    expect(line.inFlight.limit).toBeGreaterThan(1.3 * 2500 * 160);
  });

  it('is not forgotten over small calls on a line that is idle otherwise', () => {
    const line = new Line(25_000, 40);
    line.run(2000);
    const { limit } = line.inFlight;
    line.run(1000, false);
    for (let call = 0; call < 200; call += 1) {
      line.send(40_000);
      line.run(50, false);
    }
    expect(line.inFlight.limit).toBeGreaterThan(0.9 * limit);
  });

  it('survives more than four gigabytes', () => {
    const inFlight = new InFlight();
    for (let total = 0; total < 6 * 2 ** 30; total += 8 << 20) {
      inFlight.sent(8 << 20, total);
      expect(inFlight.acked((total + (8 << 20)) % 2 ** 32, total + 1)).toBe(true);
      expect(inFlight.bytes).toBe(0);
    }
  });

  it('does not believe in what was never sent', () => {
    const inFlight = new InFlight();
    inFlight.sent(1000, 0);
    expect(inFlight.acked(1001, 1)).toBe(false);
    expect(inFlight.acked(1000, 1)).toBe(true);
    expect(inFlight.acked(999, 2)).toBe(false);
  });
});
