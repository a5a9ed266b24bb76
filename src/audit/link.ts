// What ties one line to the next: its number, and the SHA-256 of the exact bytes of the line before it, without the LF.
import { hash } from 'node:crypto';

/** `prev` of the first line. */
export const genesis = '0'.repeat(64);

export type Link = { seq: number; prev: string };

/** A place in a chain: the number of a record, which is the count of those up to it, and the hash of its line. */
export type Head = { seq: number; hash: string };

export function lineHash(line: Uint8Array | string): string {
  return hash('sha256', line, 'hex');
}

export function isHash(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}
