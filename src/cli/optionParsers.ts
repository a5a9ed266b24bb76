// How the texts of options become values: each refuses with a `USAGE` error that says what it takes.
import { parseDuration } from '../core/duration.ts';
import { TunnelError } from '../core/errors.ts';
import { formatHostPort, parseHostPort } from '../core/hostname.ts';

/** Values of one repeatable option. */
export const maxRepeats = 100;

/** `8h` → milliseconds. */
export function duration(text: string): number {
  return parseDuration(text);
}

/** A TCP port. */
export function port(text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > 65_535) throw new TunnelError('USAGE', `“${text}” is not a port (1 to 65535)`);
  return value;
}

/** `host[:port]` → `host:port`, 443 where none is named. */
export function edgeHost(text: string): string {
  return formatHostPort(parseHostPort(text, 443));
}

/** Collects the values of an option that may be given several times. */
export function repeated(text: string, before: unknown): string[] {
  const values = Array.isArray(before) ? (before as string[]) : [];
  if (values.length >= maxRepeats) throw new TunnelError('USAGE', `at most ${maxRepeats} values can be given`);
  return [...values, text];
}
