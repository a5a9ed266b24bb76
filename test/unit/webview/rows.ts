// Rows as a helper sends them; a test changes what it is about.
import type { ExchangeRow } from '../../../src/protocol/inspector.ts';

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
