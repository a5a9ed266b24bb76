// One line of the log: JSON with its number, its time, the hash of the line before it, and what happened.
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { eventKinds, type AuditEvent } from './auditEvent.ts';
import { isHash, lineHash, type Head, type Link } from './link.ts';
import { signedKinds } from './signedRecord.ts';

/** Longest text of one field; a longer one is cut and followed by the digest of the whole. */
export const maxFieldLength = 512;

/** The same for the values of arguments. */
export const maxArgumentsLength = 16_384;

export type ParsedRecord = { link: Link; kind: string; atMs: number; fields: JsonObject };

export function formatRecord(link: Link, atMs: number, event: AuditEvent): string {
  const at = new Date(atMs).toISOString();
  const told = JSON.stringify(event);
  // Nearly always all of it is shorter than one field may be, and then no field has to be looked at.
  const fields = told.length <= maxFieldLength || isShort(event) ? told : JSON.stringify(shortened(event));
  return `{"seq":${link.seq},"at":"${at}","prev":"${link.prev}",${fields.slice(1)}`;
}

/** A line as a record, or `undefined` when it is none of ours. */
export function parseRecord(line: Uint8Array): ParsedRecord | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8'));
  } catch {
    return undefined; // Told by the caller, who knows which line it was.
  }
  if (!isJsonObject(fields)) return undefined;
  const { seq, prev, at, kind } = fields;
  if (typeof at !== 'string' || typeof kind !== 'string' || !isKnown(kind)) return undefined;
  if (!isCount(seq) || !isHash(prev)) return undefined;
  const atMs = Date.parse(at);
  return Number.isNaN(atMs) ? undefined : { link: { seq, prev }, kind, atMs, fields };
}

/** `{seq, hash}` in a record, or `undefined`. */
export function asHead(value: JsonValue | undefined): Head | undefined {
  if (!isJsonObject(value)) return undefined;
  const { seq, hash } = value;
  return isCount(seq) && isHash(hash) ? { seq, hash } : undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function isKnown(kind: string): boolean {
  return Object.hasOwn(eventKinds, kind) || Object.hasOwn(signedKinds, kind);
}

/** Then nothing has to be copied. */
function isShort(fields: object): boolean {
  for (const value of Object.values(fields) as unknown[]) {
    if (typeof value === 'string' ? value.length > maxFieldLength : isJsonObject(value) && !isShort(value))
      return false;
  }
  return true;
}

function shortened(fields: Record<string, unknown>): Record<string, JsonValue> {
  const result: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (typeof value === 'string')
      result[name] = shortText(value, name === 'arguments' ? maxArgumentsLength : maxFieldLength);
    else if (isJsonObject(value)) result[name] = shortened(value);
    else result[name] = value as JsonValue;
  }
  return result;
}

function shortText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  return `${text.slice(0, maxLength)}… sha256:${lineHash(text)}`;
}
