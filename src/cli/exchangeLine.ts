// One exchange as one line for people: time, direction, agent, method, tool, status, how long, how much.
import type { ExchangeRow, ExchangeStatus } from '../mcp/exchange.ts';
import type { Span, Style } from './output.ts';

const STYLE: Record<ExchangeStatus, Style> = {
  pending: 'dim',
  ok: 'green',
  error: 'red',
  'tool-error': 'yellow',
  denied: 'yellow',
  failed: 'red',
  cancelled: 'dim',
};

export function exchangeLine(row: ExchangeRow): Span[] {
  const arrow = row.direction === 'agent-to-server' ? '→' : '←';
  const what = row.name === undefined ? row.method : `${row.method} ${row.name}`;
  const status = row.httpStatus !== undefined && row.httpStatus >= 400 ? `${row.status} ${row.httpStatus}` : row.status;
  const took = row.latencyMs === undefined ? '' : `${Math.round(row.latencyMs)} ms`;
  return [
    { text: clockTime(row.startedMs), style: 'dim' },
    ` ${arrow} ${pad(row.agent || '–', 18)} ${pad(what || row.kind, 46)} `,
    { text: pad(status, 10), style: STYLE[row.status] },
    `${took.padStart(8)} ${size(row.requestBytes + row.responseBytes).padStart(9)}`,
    ...(row.reason === undefined ? [] : [{ text: `  ${row.reason}`, style: 'dim' as const }]),
  ];
}

/** `14:03:07.123`, local time. */
export function clockTime(ms: number): string {
  const date = new Date(ms);
  const part = (value: number, width = 2): string => String(value).padStart(width, '0');
  return `${part(date.getHours())}:${part(date.getMinutes())}:${part(date.getSeconds())}.${part(date.getMilliseconds(), 3)}`;
}

/** Bytes with a unit: `812 B`, `3.4 KiB`. */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const kib = bytes / 1024;
  return kib < 1024 ? `${kib.toFixed(1)} KiB` : `${(kib / 1024).toFixed(1)} MiB`;
}

function pad(text: string, width: number): string {
  const flat = text.replace(/\s+/g, ' ');
  return flat.length > width ? `${flat.slice(0, width - 1)}…` : flat.padEnd(width);
}
