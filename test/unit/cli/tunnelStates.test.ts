import { describe, expect, it } from 'vitest';
import type { Output } from '../../../src/cli/output.ts';
import { TunnelStates } from '../../../src/cli/tunnelStates.ts';
import { nowMs, tunnel } from '../extension/samples.ts';

function world() {
  const events: unknown[] = [];
  const lines: unknown[] = [];
  const states = new TunnelStates({
    event: (event: object) => void events.push(event),
    line: (...spans: unknown[]) => void lines.push(spans),
  } as unknown as Output);
  const links = (up: number): void => states.changed([tunnel({ links: { up, wanted: 4 } })]);
  return { events, lines, states, links };
}

describe('TunnelStates', () => {
  it('tells that links are missing and that they are there again, but not how the first ones come', () => {
    const { events, states, links } = world();
    states.begin(tunnel({ links: { up: 1, wanted: 4 } }));
    for (const up of [2, 3, 4]) links(up);
    expect(events).toEqual([]);
    links(3);
    links(2);
    expect(events).toMatchObject([{ event: 'state', links: { up: 3, wanted: 4 } }]);
    links(4);
    expect(events).toMatchObject([{}, { event: 'state', links: { up: 4, wanted: 4 } }]);
  });

  it('tells a warning once, to people and programs, and that it is over', () => {
    const { events, lines, states } = world();
    states.begin(tunnel());
    for (const warning of ['it ends soon', 'it ends soon']) states.changed([tunnel({ warning })]);
    expect(events).toMatchObject([{ event: 'state', warning: 'it ends soon' }]);
    expect(JSON.stringify(lines)).toContain('it ends soon');
    states.changed([tunnel()]);
    expect(events).toHaveLength(2);
    expect(lines).toHaveLength(1);
  });

  it('tells each change of state once, and a failure ends it', () => {
    const { events, states } = world();
    states.begin(tunnel());
    const error = { code: 'EDGE_UNREACHABLE', message: 'gone', retryable: true } as const;
    const waiting = tunnel({ state: { kind: 'waiting', retryAtMs: nowMs, attempt: 1, error } });
    states.changed([waiting]);
    states.changed([waiting]);
    expect(events).toHaveLength(1);
    states.changed([tunnel({ state: { kind: 'failed', error } })]);
    expect(states.failed.reason).toMatchObject({ code: 'EDGE_UNREACHABLE', message: 'gone' });
  });
});
