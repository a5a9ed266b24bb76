import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { maxMinorRows, RowList } from '../../../src/webview/rowList.ts';
import { row } from './rows.ts';

const ids = (list: RowList): string[] => list.shown.map(({ row: shown }) => shown.id);

it('keeps rows in the order they began, and replaces one that goes on where it stands', () => {
  const list = new RowList();
  list.put([row(1, { status: 'pending' }), row(2)]);
  list.put([row(3, { id: 'x1', status: 'ok', latencyMs: 5 })]);
  expect(ids(list)).toEqual(['x1', 'x2']);
  expect(list.get('x1')?.row).toMatchObject({ status: 'ok', latencyMs: 5 });
  expect(list.total).toBe(2);
});

it('does not go back to an older state that arrives late', () => {
  const list = new RowList();
  list.put([row(5, { id: 'a', status: 'ok' })]);
  list.put([row(4, { id: 'a', status: 'pending' })]);
  expect(list.get('a')?.row.status).toBe('ok');
});

it('shows what has every word of the filter, whatever the case', () => {
  const list = new RowList();
  list.put([row(1), row(2, { agent: 'Cursor', name: 'add' }), row(3, { status: 'denied', httpStatus: 403 })]);
  list.filter('CURSOR add');
  expect(ids(list)).toEqual(['x2']);
  list.filter('403');
  expect(ids(list)).toEqual(['x3']);
  list.filter('  ');
  expect(ids(list)).toEqual(['x1', 'x2', 'x3']);
});

it('moves a row in and out of the filter when it changes, to its own place', () => {
  const list = new RowList();
  list.filter('ok');
  list.put([row(1), row(2, { status: 'pending' }), row(3)]);
  expect(ids(list)).toEqual(['x1', 'x3']);
  list.put([row(4, { id: 'x2', status: 'ok' })]);
  expect(ids(list)).toEqual(['x1', 'x2', 'x3']);
  list.put([row(5, { id: 'x1', status: 'failed' })]);
  expect(ids(list)).toEqual(['x2', 'x3']);
  expect(list.indexOf('x3')).toBe(1);
  expect(list.indexOf('x1')).toBe(-1);
  expect(list.indexOf('unknown')).toBe(-1);
});

it('forgets the oldest beyond its bound, counts them, and goes on', () => {
  const list = new RowList(2_000);
  list.filter('echo');
  list.put(Array.from({ length: 2_001 }, (_, index) => row(index, { name: index % 2 ? 'echo' : 'add' })));
  expect(list.total).toBe(1_000);
  expect(list.forgotten).toBe(1_001);
  expect(list.get('x1000')).toBeUndefined();
  expect(ids(list)[0]).toBe('x1001');
  expect(list.shown).toHaveLength(500);
  list.put([row(9_999)]);
  expect(list.indexOf('x9999')).toBe(500);
});

it('shows after any history what a fresh list with the same rows would show', () => {
  const change = fc.record({
    id: fc.integer({ min: 0, max: 12 }).map((n) => `x${n}`),
    status: fc.constantFrom('pending', 'ok', 'denied', 'failed'),
  } as const);
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), fc.constantFrom('', 'ok', 'denied'), (changes, filter) => {
      const list = new RowList();
      list.filter(filter);
      const newest = new Map<string, string>();
      changes.forEach(({ id, status }, seq) => {
        list.put([row(seq, { id, status })]);
        newest.set(id, status);
      });
      const expected = [...newest].filter(([, status]) => status.includes(filter)).map(([id]) => id);
      expect(ids(list)).toEqual(expected);
      expect(expected.map((id) => list.indexOf(id))).toEqual(expected.map((_, index) => index));
    }),
  );
});

it('counts calls as calls only, also when a stranger becomes known, the filter changes, or the oldest are forgotten', () => {
  const some = fc.record({
    id: fc.nat(8),
    stranger: fc.boolean(),
    kind: fc.constantFrom('request', 'event'),
    agent: fc.constantFrom('claude', 'cursor'),
  });
  fc.assert(
    fc.property(fc.array(some, { maxLength: 60 }), fc.constantFrom('', 'claude'), (steps, filter) => {
      const list = new RowList(5);
      steps.forEach(({ id, stranger, kind, agent }, index) => {
        const from = stranger ? { stranger: true as const } : {};
        list.put([row(index + 1, { id: `r${id}`, kind, agent, ...from })]);
        if (index % 7 === 3) list.filter(filter);
        if (index % 23 === 22) list.clear();
      });
      list.filter(filter);
      const isCall = (entry: { row: { kind: string; stranger?: true } }) =>
        entry.row.kind !== 'event' && !entry.row.stranger;
      const held = Array.from({ length: 9 }, (_, id) => list.get(`r${id}`)).filter((entry) => entry !== undefined);
      expect(list.calls).toEqual({ held: held.filter(isCall).length, shown: list.shown.filter(isCall).length });
    }),
  );
});

it('does not let strangers and lines of servers push out calls, and does not count them as forgotten', () => {
  const list = new RowList(10_000);
  list.filter('claude');
  list.put([row(1)]);
  for (let page = 0; page < 20; page += 1) {
    const minor = Array.from({ length: 1_000 }, (_, index) =>
      row(2 + page * 1_000 + index, { stranger: true, agent: '' }),
    );
    list.put(page % 2 === 0 ? minor : minor.map((one) => ({ ...one, kind: 'event' as const })));
  }
  expect(list.get('x1')).toBeDefined();
  expect(ids(list)).toEqual(['x1']);
  expect(list.total).toBeLessThanOrEqual(1 + 2 * maxMinorRows + 2_000);
  expect(list.get('x20001')).toBeDefined();
  expect(list.forgotten).toBe(0);
});
