// One line of the log: JSON with its number, its time and the SHA-256 of the line before it. A line's hash covers its
// exact bytes without the LF, so any edit of any line shows in the next.
import { createHash } from 'node:crypto';
import { isJsonObject, type JsonValue } from '../core/json.ts';
import type { AuditEvent, RepairRecord } from './auditEvent.ts';

/** `prev` of the first line. */
export const genesis = '0'.repeat(64);

/** Longest text of one field; a longer one is cut and followed by the digest of the whole. */
export const maxFieldLength = 512;

export type Link = { seq: number; prev: string };

export function formatRecord(link: Link, atMs: number, event: AuditEvent | RepairRecord): string {
  const { kind, ...rest } = event;
  const at = new Date(atMs).toISOString();
  return JSON.stringify({ seq: link.seq, at, prev: link.prev, kind, ...shortened(rest) });
}

export function lineHash(line: Uint8Array | string): string {
  return createHash('sha256').update(line).digest('hex');
}

/** The chain fields of a line, or `undefined` when it is none of ours. */
export function parseLink(line: Buffer): Link | undefined {
  let record: unknown;
  try {
    record = JSON.parse(line.toString('utf8'));
  } catch {
    return undefined; // Told by the caller, who knows which line it was.
  }
  if (!isJsonObject(record)) return undefined;
  const { seq, prev, at, kind } = record;
  if (typeof at !== 'string' || typeof kind !== 'string') return undefined;
  if (!Number.isSafeInteger(seq) || typeof prev !== 'string' || !/^[0-9a-f]{64}$/.test(prev)) return undefined;
  return { seq: seq as number, prev };
}

function shortened(fields: Record<string, unknown>): Record<string, JsonValue> {
  const result: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (typeof value === 'string') result[name] = shortText(value);
    else if (isJsonObject(value)) result[name] = shortened(value);
    else result[name] = value as JsonValue;
  }
  return result;
}

function shortText(text: string): string {
  if (text.length <= maxFieldLength) return text;
  return `${text.slice(0, maxFieldLength)}… sha256:${lineHash(text)}`;
}
