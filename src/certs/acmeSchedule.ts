// When a certificate authority is asked again. Public ones have limits (Let's Encrypt: five failed looks at a name in an
// hour, five certificates for the same name in a week), and whoever runs into them gets nothing for days: what is here
// stays below them, whatever happens in between, and a wait that the authority asks for is kept.
import type { Random } from '../core/clock.ts';
import type { AcmeFailure } from './acmeFailure.ts';

/** After it could not be reached: doubled from one to the other. */
export const unreachableMs = { first: 10_000, longest: 3_600_000 } as const;
/** After it said no: at most four times in any hour. */
export const refusedMs = { first: 15 * 60_000, longest: 6 * 3_600_000 } as const;
/** Where somebody has to do something first. */
export const personMs = 60_000;
/** Between two certificates, however soon the one that was issued ends. */
const betweenMs = 10_000;
/** Terms of service are asked for again in case they are gone. */
export const termsMs = 3_600_000;
export const busyMs = 5_000;

/** Certificates of one name in a week, beyond which no other is ordered. */
export const maxIssuedPerWeek = 4;
const weekMs = 7 * 86_400_000;
/** Those that live for less are meant to be renewed more often than that. */
const shortLivedMs = 6 * 86_400_000;

/** What is known of one that was issued. */
export type Issued = { atMs: number; lifetimeMs: number };

/** At two thirds of its life. */
export function renewAtMs({ notBeforeMs, notAfterMs }: { notBeforeMs: number; notAfterMs: number }): number {
  return notBeforeMs + Math.floor(((notAfterMs - notBeforeMs) * 2) / 3);
}

/** Before that no other is ordered, whatever the one that was just issued says of its life. */
export function restAfterMs({ notAfterMs }: { notAfterMs: number }, nowMs: number): number {
  return nowMs + Math.max(betweenMs, Math.floor((notAfterMs - nowMs) / 3));
}

/** How long to wait after the `failures`th failure in a row; never less than the floor of its kind. */
export function waitAfterMs(
  { kind, retryAfterMs = 0 }: Pick<AcmeFailure, 'kind' | 'retryAfterMs'>,
  failures: number,
  random: Random,
): number {
  if (kind === 'busy') return busyMs;
  if (kind === 'person') return Math.max(retryAfterMs, personMs);
  const { first, longest } = kind === 'refused' ? refusedMs : unreachableMs;
  const ms = Math.min(longest, first * 2 ** Math.min(Math.max(0, failures - 1), 20));
  // Upwards only, so that many that failed together do not come back together, and none comes too soon.
  return Math.max(retryAfterMs, Math.round(ms * (1 + random() / 4)));
}

/** Until when nothing is ordered because enough was issued in a week; in the past when it was not. */
export function heldBackUntilMs(issued: readonly Issued[], nowMs: number): number {
  const counted = issued
    .filter(({ atMs, lifetimeMs }) => atMs > nowMs - weekMs && atMs <= nowMs && lifetimeMs >= shortLivedMs)
    .map(({ atMs }) => atMs)
    .sort((left, right) => left - right);
  const oldest = counted.at(-maxIssuedPerWeek);
  return oldest === undefined ? 0 : oldest + weekMs;
}
