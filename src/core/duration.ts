// Spans of time as people write them: `90s`, `30m`, `8h`, `7d`, `1h30m`. One spelling for every option and setting.
import { TunnelError } from './errors.ts';

/** Ten years: anything longer is a typing error, and dates stay far inside what `Date` can hold. */
export const maxDurationMs = 10 * 366 * 86_400_000;

const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
type Unit = keyof typeof UNITS;
const ORDER = Object.keys(UNITS) as Unit[];

/** Milliseconds. Units stand from large to small, each at most once. Throws `USAGE` naming the text. */
export function parseDuration(text: string): number {
  const refuse = (why: string): TunnelError =>
    new TunnelError('USAGE', `“${text.slice(0, 40)}” is not a time span${why}; write for example 30m, 8h or 7d`);
  // Bounded in length, so that a stranger's text costs nothing to refuse.
  if (text.length > 40 || !/^(?:\d{1,12}(?:ms|[dhms]))+$/.test(text)) throw refuse('');

  let total = 0;
  let largest = -1;
  for (const [, digits, unit] of text.matchAll(/(\d+)(ms|[dhms])/g)) {
    const place = ORDER.indexOf(unit as Unit);
    if (place <= largest) throw refuse(' (each unit once, from large to small)');
    largest = place;
    total += Number(digits) * UNITS[unit as Unit];
  }
  if (total === 0) throw refuse(' (it is zero)');
  if (total > maxDurationMs) throw refuse(' (it is longer than ten years)');
  return total;
}

/** The other direction of {@link parseDuration}, exact: `5400000` → `1h30m`. Zero and less are `0s`. */
export function formatDuration(ms: number): string {
  let rest = Math.max(0, Math.floor(ms));
  let text = '';
  for (const unit of ORDER) {
    const count = Math.floor(rest / UNITS[unit]);
    rest -= count * UNITS[unit];
    if (count > 0) text += `${count}${unit}`;
  }
  return text || '0s';
}

/** Short for a screen: the two largest units, `3d4h`, `12m5s`, `40s`. */
export function roughDuration(ms: number): string {
  if (ms < UNITS.s) return '0s';
  const parts = formatDuration(Math.floor(ms / UNITS.s) * UNITS.s).match(/\d+[dhms]/g) ?? [];
  return parts.slice(0, 2).join('');
}
