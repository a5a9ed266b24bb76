import { describe, expect, it } from 'vitest';
import { drain } from '../../../src/edge/edgeDrain.ts';
import { recordingLog } from '../../support/edgeLogs.ts';
import { FakeClock } from '../../support/fakeClock.ts';

function anEdge(visitors: number) {
  const clock = new FakeClock();
  const urgent = new AbortController();
  const lines: string[] = [];
  const did: string[] = [];
  const edge = {
    visitors,
    stopListening: async () => void did.push('closed'),
    tell: ({ withinMs }: { withinMs: number }) => void did.push(`told ${withinMs}`),
    busy: () => edge.visitors,
  };
  const begin = (leadMs = 0, withinMs = 30_000) =>
    drain(edge, { leadMs, withinMs, reason: 'it ends', urgent: urgent.signal }, { clock, log: recordingLog(lines) });
  /** Lets what waits for promises go on, then moves time. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 50) {
      await new Promise((settle) => setImmediate(settle));
      clock.advance(50);
    }
    await new Promise((settle) => setImmediate(settle));
  };
  return { edge, did, lines, begin, pass, urgent, clock };
}

describe('an edge that drains', () => {
  it('is closed at once where nobody is served, and connectors hear of it', async () => {
    const { did, begin, clock } = anEdge(0);
    expect(await begin()).toBe(0);
    expect(did).toEqual(['closed', 'told 30000']);
    expect(clock.pending).toBe(0);
  });

  it('takes visitors for the time that load balancers need', async () => {
    const { did, begin, pass } = anEdge(0);
    const ended = begin(5000);
    await pass(4900);
    expect(did).toEqual([]);
    await pass(200);
    expect(did).toEqual(['closed', 'told 30000']);
    expect(await ended).toBe(0);
  });

  it('waits for the last visitor, and says now and then for how many', async () => {
    const { edge, begin, pass, lines } = anEdge(2);
    const ended = begin();
    await pass(6000);
    edge.visitors = 1;
    await pass(6000);
    edge.visitors = 0;
    await pass(200);
    expect(await ended).toBe(0);
    expect(lines).toEqual([
      '2 visitors may finish for 30s',
      expect.stringMatching(/^2 visitors may finish for 25s|^2 visitors may finish for 24s/),
      expect.stringMatching(/^1 visitors may finish/),
      'nobody is served any more',
    ]);
  });

  it('does not wait longer than it said', async () => {
    const { begin, pass, lines, clock } = anEdge(3);
    const ended = begin(0, 1000);
    await pass(1100);
    expect(await ended).toBe(3);
    expect(lines.at(-1)).toBe('3 visitors are cut off');
    expect(clock.pending).toBe(0);
  });

  it('waits for nothing when it is urgent, in either part', async () => {
    for (const lead of [0, 5000]) {
      const { begin, pass, urgent, did } = anEdge(3);
      const ended = begin(lead);
      await pass(100);
      urgent.abort();
      expect(await ended).toBe(3);
      expect(did[0]).toBe('closed');
    }
  });
});
