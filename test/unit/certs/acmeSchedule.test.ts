import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseRetryAfter, maxRetryAfterMs, problemText } from '../../../src/certs/acmeFailure.ts';
import {
  heldBackUntilMs,
  maxIssuedPerWeek,
  refusedMs,
  renewAtMs,
  restAfterMs,
  unreachableMs,
  waitAfterMs,
} from '../../../src/certs/acmeSchedule.ts';

const weekMs = 7 * 86_400_000;
const chance = fc.double({ min: 0, max: 0.999_999, noNaN: true });

it('lets a name be looked at in vain four times in any hour at most, however chance falls', () => {
  fc.assert(
    fc.property(fc.array(chance, { minLength: 40, maxLength: 40 }), (chances) => {
      const atMs: number[] = [0];
      chances.forEach((one, place) => {
        atMs.push(atMs.at(-1)! + waitAfterMs({ kind: 'refused', retryAfterMs: undefined }, place + 1, () => one));
      });
      for (const from of atMs) expect(atMs.filter((ms) => ms >= from && ms < from + 3_600_000).length).toBeLessThan(5);
    }),
  );
});

it('waits no less than the floor of a failure, no less than it is told to, and no longer than a quarter above its end', () => {
  const kinds = fc.constantFrom('refused' as const, 'unreachable' as const);
  fc.assert(
    fc.property(kinds, fc.nat(1000), fc.nat(maxRetryAfterMs), chance, (kind, failures, retryAfterMs, one) => {
      const { first, longest } = kind === 'refused' ? refusedMs : unreachableMs;
      const ms = waitAfterMs({ kind, retryAfterMs }, failures, () => one);
      expect(ms).toBeGreaterThanOrEqual(Math.max(first, retryAfterMs));
      expect(ms).toBeLessThanOrEqual(Math.max(longest * 1.25, retryAfterMs));
    }),
  );
});

it('renews at two thirds, and rests between two certificates whatever they say of their life', () => {
  expect(renewAtMs({ notBeforeMs: 0, notAfterMs: 90 })).toBe(60);
  fc.assert(
    fc.property(fc.integer(), fc.nat(), (notAfterMs, nowMs) => {
      expect(restAfterMs({ notAfterMs }, nowMs)).toBeGreaterThanOrEqual(nowMs + 10_000);
    }),
  );
});

it('holds back after four of a week that live long, and never for those that are made to be renewed often', () => {
  const issued = (lifetimeMs: number) => Array.from({ length: maxIssuedPerWeek }, (_, n) => ({ atMs: n, lifetimeMs }));
  expect(heldBackUntilMs(issued(90 * 86_400_000), 1000)).toBe(weekMs);
  expect(heldBackUntilMs(issued(90 * 86_400_000).slice(1), 1000)).toBe(0);
  expect(heldBackUntilMs(issued(90 * 86_400_000), weekMs + 10)).toBe(0);
  expect(heldBackUntilMs(issued(12 * 3_600_000), 1000)).toBe(0);
});

it('reads Retry-After as seconds or a date, and as nothing where it is neither', () => {
  const now = Date.UTC(2026, 0, 1);
  expect(parseRetryAfter('120', now)).toBe(120_000);
  expect(parseRetryAfter('Thu, 01 Jan 2026 00:05:00 GMT', now)).toBe(300_000);
  expect(parseRetryAfter('99999999999', now)).toBeUndefined();
  expect(parseRetryAfter('9999999999', now)).toBe(maxRetryAfterMs);
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.integer().map(String), fc.date({ noInvalidDate: true }).map(String)),
      (text) => {
        const ms = parseRetryAfter(text, now);
        if (ms !== undefined) expect(ms > 0 && ms <= maxRetryAfterMs).toBe(true);
      },
    ),
  );
});

it('makes a problem of any shape one printable line', () => {
  fc.assert(
    fc.property(fc.anything(), (problem) => {
      // oxlint-disable-next-line no-control-regex
      expect(problemText(problem)).toMatch(/^[^\u0000-\u001f\u007f\u202e]{0,301}$/u);
    }),
  );
  expect(problemText({ type: 'urn:x', detail: 'a\n\u001b[2Jb' })).toBe('a??[2Jb');
});
