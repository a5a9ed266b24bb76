// One audit record as one line for people: when, in which log, what, who, and how it went.
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Entry } from '../audit/readRecords.ts';
import { clockTime } from './exchangeLine.ts';
import type { Span, Style } from './output.ts';

/** Fields of every record, and those that only a program can use. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'seq',
  'at',
  'prev',
  'kind',
  'key',
  'signature',
  'chain',
  'others',
  'principal',
]);

const HASH = /^[0-9a-f]{64}$/;

export function auditLine({ chain, line, atMs }: Entry): Span[] {
  const { record } = line;
  const start: Span = { text: `${day(atMs)} ${clockTime(atMs)}  ${chain.slice(0, 8)}  `, style: 'dim' };
  if (!record) return [start, { text: 'not a record: see “mcp-tunnel audit verify”', style: 'red' }];
  const kind = `${String(record.link.seq).padStart(6)}  ${record.kind.padEnd(8)}  `;
  return [start, { text: kind, style: styleOf(record.kind, record.fields) }, describe(record.fields)];
}

function describe(fields: JsonObject): string {
  const { principal } = fields;
  const who = principal === undefined ? [] : [`by ${text((principal as JsonObject)['name'] ?? '')}`];
  const rest = Object.entries(fields).flatMap(([name, value]) =>
    LEFT_OUT.has(name) ? [] : [`${name}=${text(value)}`],
  );
  return [...who, ...rest].join(' ').replace(/\s+/g, ' ');
}

function text(value: JsonValue): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  if (HASH.test(value)) return `${value.slice(0, 12)}…`;
  return value === '' || /[\s"=]/.test(value) ? JSON.stringify(value) : value;
}

function styleOf(kind: string, { decision, status, signature }: JsonObject): Style {
  if (signature !== undefined) return 'dim';
  if (kind === 'refused' || kind === 'denied' || decision === 'deny' || status === 'denied') return 'yellow';
  if (status === 'failed') return 'red';
  return 'cyan';
}

function day(ms: number): string {
  const date = new Date(ms);
  const part = (value: number): string => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${part(date.getMonth() + 1)}-${part(date.getDate())}`;
}
