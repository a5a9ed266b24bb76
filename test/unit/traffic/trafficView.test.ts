import * as fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import type { TrafficWindow } from '../../../src/mcp/exchange.ts';
import { rowFilter } from '../../../src/mcp/filter/matchFilter.ts';
import { parseFilter } from '../../../src/mcp/filter/parseFilter.ts';
import type { ExchangeRecorder, ExchangeStart } from '../../../src/traffic/exchangeRecorder.ts';
import { strangerBounds, TrafficLog } from '../../../src/traffic/trafficLog.ts';
import { maxForgotten, TrafficView } from '../../../src/traffic/trafficView.ts';
import { FakeClock } from '../../support/fakeClock.ts';

function world({
  filter = '',
  capacity = 100,
  tunnel,
  time = (): number => 0,
}: { filter?: string; capacity?: number; tunnel?: string; time?: () => number } = {}) {
  const log = new TrafficLog({ clock: new FakeClock(), secrets: () => [], capacity });
  const parsed = parseFilter(filter);
  if (parsed.kind === 'problem') throw new Error(parsed.message);
  const progressed = vi.fn();
  const view = new TrafficView({ log, filter: rowFilter(parsed, () => 'everything'), tunnel, progressed, time });
  const begin = (name: string, more: Partial<ExchangeStart> = {}): ExchangeRecorder => {
    const recorder = log.begin({
      tunnel: 't',
      direction: 'agent-to-server',
      kind: 'request',
      httpMethod: 'POST',
      path: '/mcp',
      headers: [],
      ...more,
    });
    recorder.update({ method: 'tools/call', name });
    return recorder;
  };
  const all = () => view.window({ from: 0, count: 1_000 });
  return { log, view, begin, all, progressed };
}

/** Names of rows, and counts of gaps. */
const said = ({ lines }: TrafficWindow): (string | number | undefined)[] =>
  lines.map((line) => (line.kind === 'gap' ? line.count : line.row.name));

it('shows rows that match, in the order they began, wherever they changed since', async () => {
  const { begin, all } = world({ filter: 'status:ok' });
  const [a, b, c] = [begin('a'), begin('b'), begin('c')];
  c.finish({ status: 'ok' });
  expect(said(await all())).toEqual(['c']);
  a.finish({ status: 'ok' });
  b.finish({ status: 'denied' });
  const window = await all();
  expect(said(window)).toEqual(['a', 'c']);
  expect(window).toMatchObject({ length: 2, total: 3, calls: { held: 3, shown: 2 }, dropped: 0 });
  expect(window).not.toHaveProperty('searching');
});

it('shows what is in sight and no more, the end where asked, and where a row stands', async () => {
  const { begin, view } = world();
  const rows = Array.from({ length: 10 }, (_, index) => begin(`n${index}`));
  const middle = await view.window({ from: 3, count: 2, selected: rows[7]!.id });
  expect([said(middle), middle.from, middle.length]).toEqual([['n3', 'n4'], 3, 10]);
  expect(middle.selected).toEqual({ place: 7, seq: rows[7]!.seq });
  expect(said(await view.window({ from: 'end', count: 3 }))).toEqual(['n7', 'n8', 'n9']);
  expect(said(await view.window({ from: 8, count: 5 }))).toEqual(['n8', 'n9']);
  expect(said(await view.window({ from: 99, count: 5 }))).toEqual([]);
  expect(await view.window({ from: 0, count: 0, selected: 'unknown' })).not.toHaveProperty('selected');
});

it('searches what was captured, also of a row that goes on', async () => {
  const { begin, all } = world({ filter: 'text:needle' });
  const [a, b] = [begin('a'), begin('b'), begin('c')];
  a.request(Buffer.from('{"hay":"a NEEDLE"}'));
  expect(said(await all())).toEqual(['a']);
  b.message('server-to-agent', 'needle');
  expect(said(await all())).toEqual(['a', 'b']);
});

it('shows one tunnel alone, and counts it alone', async () => {
  const { begin, all } = world({ tunnel: 'x' });
  begin('a');
  begin('b', { tunnel: 'x' });
  begin('c', { tunnel: 'x', stranger: true });
  const window = await all();
  expect(said(window)).toEqual(['b', 'c']);
  expect(window).toMatchObject({ total: 2, calls: { held: 1, shown: 1 } });
});

it('says where calls are missing, and how many', async () => {
  const { begin, all, view } = world({ capacity: 3 });
  const stream = begin('stream');
  for (let index = 0; index < 5; index += 1) begin(`n${index}`).finish({ status: 'ok' });
  const window = await all();
  expect(said(window)).toEqual(['stream', 3, 'n3', 'n4']);
  expect(window).toMatchObject({ length: 4, dropped: 3, calls: { held: 3, shown: 3 } });
  expect((await view.window({ from: 2, count: 1, selected: stream.id })).selected?.place).toBe(0);
  expect(said(await view.window({ from: 1, count: 1 }))).toEqual([3]);
  stream.finish({ status: 'ok' });
  begin('n5').finish({ status: 'ok' });
  expect(said(await all())).toEqual([4, 'n3', 'n4', 'n5']);
});

it('begins anew when the log was cleared, and its gaps with it', async () => {
  const { begin, all, log } = world({ capacity: 2 });
  for (const name of ['a', 'b', 'c']) begin(name).finish({ status: 'ok' });
  expect(said(await all())).toEqual([1, 'b', 'c']);
  log.clear();
  begin('d');
  expect(said(await all())).toEqual(['d']);
});

it('counts a stranger as a call once it is known who it is', async () => {
  const { begin, all } = world();
  const a = begin('a', { stranger: true });
  expect((await all()).calls).toEqual({ held: 0, shown: 0 });
  a.update({ principal: { kind: 'grant', name: 'claude' } });
  expect((await all()).calls).toEqual({ held: 1, shown: 1 });
});

it('looks at many rows in slices, says how far it is, and tells when there is more to see', async () => {
  let now = 0;
  const { begin, view, progressed } = world({ filter: 'tool:b', time: () => (now += 1) });
  for (let index = 0; index < 100; index += 1) begin(index < 99 ? 'a' : 'b');
  const first = await view.window({ from: 0, count: 10 });
  expect(first.searching?.of).toBe(100);
  expect(first.searching!.seen).toBeLessThan(100);
  expect(first.length).toBe(0);
  await vi.waitFor(() => expect(progressed).toHaveBeenCalled());
  const last = await view.window({ from: 0, count: 10 });
  expect(last).not.toHaveProperty('searching');
  expect(said(last)).toEqual(['b']);
});

it('shows what is held after more was forgotten than it remembers', async () => {
  const { begin, all } = world({ capacity: 5 });
  begin('first').finish({ status: 'ok' });
  await all();
  for (let index = 0; index <= maxForgotten + 5; index += 1) begin(`n${index}`).finish({ status: 'ok' });
  expect((await all()).lines).toHaveLength(6);
});

it('shows after any history what a new view shows, and every call as a row or in a gap', async () => {
  const step = fc.oneof(
    fc.record({ begin: fc.constantFrom('a', 'b'), stranger: fc.boolean() }),
    fc.record({ end: fc.nat(30), status: fc.constantFrom('ok', 'denied' as const) }),
    fc.record({ known: fc.nat(30) }),
    fc.constantFrom('look', 'clear' as const),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 120 }), fc.constantFrom('', 'ok', 'tool:a'), async (steps, filter) => {
      const { log, view, begin, all } = world({ filter, capacity: 6 });
      let recorders: ExchangeRecorder[] = [];
      let calls = 0;
      for (const one of steps) {
        if (one === 'look') await all();
        else if (one === 'clear') {
          log.clear();
          recorders = [];
          calls = 0;
        } else if ('begin' in one) {
          if (!one.stranger) calls += 1;
          recorders.push(begin(one.begin, { stranger: one.stranger }));
        } else if ('end' in one) recorders[one.end % recorders.length]?.finish({ status: one.status });
        else {
          const recorder = recorders[one.known % recorders.length];
          if (recorder?.class === 'stranger') calls += 1;
          recorder?.update({ principal: { kind: 'grant', name: 'claude' } });
        }
      }
      const window = await all();
      const fresh = new TrafficView({ log, filter: rowFilter(readable(filter), () => ''), progressed: () => {} });
      expect(window).toEqual(await fresh.window({ from: 0, count: 1_000 }));
      expect(window.dropped + window.calls.held).toBe(calls);
      expect(window.lines).toHaveLength(window.length);
      const held = log.read({ after: 0, max: strangerBounds.capacity + 10 }).rows;
      const matching = held.filter(rowFilter(readable(filter), () => '').row).map(({ id }) => id);
      const ids = window.lines.flatMap((line) => (line.kind === 'row' ? [line.row.id] : []));
      expect(ids.toSorted()).toEqual(matching.toSorted());
      view.close();
      fresh.close();
    }),
  );
});

function readable(text: string) {
  const parsed = parseFilter(text);
  if (parsed.kind === 'problem') throw new Error(parsed.message);
  return parsed;
}
