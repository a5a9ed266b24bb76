// Rows as a helper sends them; a test changes what it is about.
import type { ExchangeRow, TrafficWindow } from '../../../src/protocol/inspector.ts';

export function row(seq: number, changes: Partial<ExchangeRow> = {}): ExchangeRow {
  return {
    seq,
    id: `x${seq}`,
    tunnel: 't1',
    direction: 'agent-to-server',
    kind: 'request',
    startedMs: 1_800_000_000_000 + seq,
    agent: 'claude-code',
    method: 'tools/call',
    name: 'echo',
    status: 'ok',
    requestBytes: 10,
    responseBytes: 20,
    messages: 1,
    flags: [],
    ...changes,
  };
}

/** All lines there are, unless a test says otherwise. */
export function windowOf(rows: ExchangeRow[], changes: Partial<TrafficWindow> = {}): TrafficWindow {
  const { length } = rows;
  return {
    lines: rows.map((one) => ({ kind: 'row', row: one })),
    from: 0,
    length,
    matched: length,
    total: length,
    calls: { held: length, shown: length },
    dropped: 0,
    ...changes,
  };
}
