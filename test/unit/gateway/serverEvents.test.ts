import { describe, expect, it } from 'vitest';
import { lineBurst, linesPerSecond, ServerEvents } from '../../../src/gateway/serverEvents.ts';
import type { ExchangeRow } from '../../../src/mcp/exchange.ts';
import { TrafficLog } from '../../../src/traffic/trafficLog.ts';
import { FakeClock } from '../../support/fakeClock.ts';

function world(): { clock: FakeClock; traffic: TrafficLog; note: ServerEvents['note']; rows: () => ExchangeRow[] } {
  const clock = new FakeClock();
  const traffic = new TrafficLog({ clock, secrets: () => ['hunter2-hunter2'] });
  const agentOf = (session: string): string | undefined => (session === 'session-1' ? 'claude' : undefined);
  const { note } = new ServerEvents({ tunnel: 't', clock, traffic, agentOf });
  return { clock, traffic, note, rows: () => traffic.read({ after: 0, max: 5_000 }).rows };
}

describe('ServerEvents', () => {
  it('makes a row of each thing that a server says and that happens to it', () => {
    const { note, rows } = world();
    note({ kind: 'started', sessionId: 'session-1', pid: 7 });
    note({ kind: 'stderr', sessionId: 'session-1', line: 'listening' });
    note({ kind: 'noise', line: 'hello' });
    note({ kind: 'away', reason: 'ended with code 1' });
    note({ kind: 'returned', awayMs: 1200 });
    note({ kind: 'exited', code: 0, signal: null });
    note({ kind: 'exited', code: null, signal: 'SIGKILL' });
    expect(rows().map(({ method, name, status }) => [method, name, status])).toEqual([
      ['started', 'process 7', 'ok'],
      ['stderr', 'listening', 'ok'],
      ['stdout', 'hello', 'ok'],
      ['away', 'ended with code 1', 'failed'],
      ['returned', 'after 1200 ms', 'ok'],
      ['ended', 'with code 0', 'ok'],
      ['ended', 'by SIGKILL', 'failed'],
    ]);
    expect(rows().every(({ kind, direction }) => kind === 'event' && direction === 'server-to-agent')).toBe(true);
    expect(rows()[1]).toMatchObject({ agent: 'claude', session: 'session-' });
  });

  it('shows no secret that is known, and of a long line the beginning, with the whole one click away', () => {
    const { note, rows, traffic } = world();
    note({ kind: 'stderr', line: 'password: hunter2-hunter2' });
    note({ kind: 'stderr', line: `${'x'.repeat(2_000)} hunter2-hunter2` });
    const [short, long] = rows();
    expect(short?.name).toBe('password: [redacted]');
    expect(long?.name?.length).toBeLessThan(600);
    expect(traffic.get(long!.id).messages[0]?.text).toBe(`${'x'.repeat(2_000)} [redacted]`);
  });

  it('counts what nobody could read, and says so with the next line', () => {
    const { clock, note, rows } = world();
    for (let line = 0; line < 100_000; line += 1) note({ kind: 'stderr', line: `line ${line}` });
    expect(rows()).toHaveLength(lineBurst);
    note({ kind: 'exited', code: 1, signal: null }); // Told whatever was printed.
    expect(
      rows()
        .slice(-2)
        .map(({ name }) => name),
    ).toEqual([`${100_000 - lineBurst} more lines were not recorded`, 'with code 1']);
    clock.advance(1_000);
    for (let line = 0; line < 1_000; line += 1) note({ kind: 'noise', line: `line ${line}` });
    expect(rows()).toHaveLength(lineBurst + 2 + linesPerSecond);
  });
});
