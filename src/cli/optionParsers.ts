// How the texts of options become values: each refuses with a `USAGE` error that says what it takes.
import type { Head } from '../audit/link.ts';
import { isPin } from '../certs/pin.ts';
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

/** `sha256/…`: the digest of a key, in base64. */
export function pin(text: string): string {
  if (isPin(text)) return text;
  throw new TunnelError('USAGE', `“${text}” is not a pin; copy the one that “mcp-tunnel edge run” printed (sha256/…)`);
}

/** `COUNT:HASH`, as “audit verify” prints it: where an audit log was once seen to end. */
export function auditHead(text: string): Head {
  const [, count = '', hash = ''] = /^(\d{1,15}):([0-9a-f]{64})$/i.exec(text) ?? [];
  if (Number(count) > 0) return { seq: Number(count), hash: hash.toLowerCase() };
  throw new TunnelError('USAGE', `“${text.slice(0, 100)}” is not a head: write COUNT:HASH as “audit verify” prints it`);
}

/** An Ed25519 public key as hex. */
export function auditKey(text: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  throw new TunnelError(
    'USAGE',
    `“${text.slice(0, 100)}” is not a key: write the 64 hex digits that “audit verify” prints`,
  );
}

/** Collects the values of an option that may be given several times. */
export function repeated(text: string, before: unknown): string[] {
  const values = Array.isArray(before) ? (before as string[]) : [];
  if (values.length >= maxRepeats) throw new TunnelError('USAGE', `at most ${maxRepeats} values can be given`);
  return [...values, text];
}

/** Of an option that may stand several times. */
export function ports(text: string, before: unknown): number[] {
  return [...(Array.isArray(before) ? (before as number[]) : []), port(text)];
}

/** One of some words. */
export function oneOf(...words: string[]): (text: string) => string {
  return (text) => {
    if (words.includes(text)) return text;
    throw new TunnelError('USAGE', `“${text.slice(0, 40)}” is none of ${words.join(', ')}`);
  };
}
