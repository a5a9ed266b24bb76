import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ExchangeRow } from '../../../src/mcp/exchange.ts';
import type { ExchangeRecorder, ExchangeStart } from '../../../src/traffic/exchangeRecorder.ts';
import { maxSparedStreams } from '../../../src/traffic/rowShelf.ts';
import { eventBounds, strangerBounds, TrafficLog, type TrafficLogOptions } from '../../../src/traffic/trafficLog.ts';
import { FakeClock } from '../../support/fakeClock.ts';

function world(options: Partial<TrafficLogOptions> = {}): {
  log: TrafficLog;
  clock: FakeClock;
  begin: (tunnel?: string, more?: Partial<ExchangeStart>) => ExchangeRecorder;
} {
  const clock = new FakeClock();
  const log = new TrafficLog({ clock, secrets: () => [], ...options });
  const start: ExchangeStart = {
    tunnel: 't',
    direction: 'agent-to-server',
    kind: 'request',
    httpMethod: 'POST',
    path: '/mcp',
    headers: [],
  };
  return { log, clock, begin: (tunnel = 't', more = {}) => log.begin({ ...start, tunnel, ...more }) };
}
const ids = (rows: ExchangeRow[]): string[] => rows.map(({ id }) => id);

describe('TrafficLog', () => {
  it('gives each row once, as it is now, in the order of its newest change', () => {
    const { log, begin } = world();
    const [a, b, c] = [begin(), begin(), begin()];
    a.update({ method: 'tools/list' });
    b.finish({ status: 'ok' });
    const page = log.read({ after: 0, max: 10 });
    expect(ids(page.rows)).toEqual([c.id, a.id, b.id]);
    expect(page.rows.map(({ seq }) => seq)).toEqual([3, 4, 5]);
    expect(page).toMatchObject({ next: log.head, more: false, dropped: 0 });
    expect(page.rows[1]).toMatchObject({ method: 'tools/list', status: 'pending' });
  });

  it('gives only what changed after the cursor', () => {
    const { log, begin } = world();
    const [a, b] = [begin(), begin()];
    const { next } = log.read({ after: 0, max: 10 });
    expect(log.read({ after: next, max: 10 }).rows).toEqual([]);
    a.finish({ status: 'ok' });
    expect(ids(log.read({ after: next, max: 10 }).rows)).toEqual([a.id]);
    expect(ids(log.read({ after: 0, max: 10 }).rows)).toEqual([b.id, a.id]);
  });

  it('says when there is more, and goes on from there', () => {
    const { log, begin } = world();
    const all = Array.from({ length: 7 }, () => begin().id);
    const first = log.read({ after: 0, max: 5 });
    expect([ids(first.rows), first.more]).toEqual([all.slice(0, 5), true]);
    const second = log.read({ after: first.next, max: 5 });
    expect([ids(second.rows), second.more]).toEqual([all.slice(5), false]);
    expect(log.read({ after: 0, max: 0 }).rows).toHaveLength(1);
  });

  it('reads one tunnel alone, and moves its cursor past the others', () => {
    const { log, begin } = world();
    const [a] = [begin('x'), begin('y'), begin('y')];
    const page = log.read({ tunnel: 'x', after: 0, max: 10 });
    expect(ids(page.rows)).toEqual([a.id]);
    expect(page.next).toBe(log.head);
  });

  it('a listener that reads at once sees the change it was told of', () => {
    const { log, begin } = world();
    const held = new Map<string, ExchangeRow>();
    let cursor = 0;
    log.onChange(() => {
      const page = log.read({ after: cursor, max: 100 });
      expect(page.next).toBe(log.head);
      cursor = page.next;
      for (const row of page.rows) held.set(row.id, row);
    });
    const a = begin();
    a.update({ method: 'ping' });
    a.finish({ status: 'ok' });
    expect(held.get(a.id)).toMatchObject({ method: 'ping', status: 'ok' });
  });

  it('what was read does not change under its reader', () => {
    const { log, begin } = world();
    const a = begin();
    const [row] = log.read({ after: 0, max: 1 }).rows;
    const detail = log.get(a.id);
    a.flag('late');
    a.message('server-to-agent', '{}');
    expect([row!.flags, detail.messages]).toEqual([[], []]);
  });

  it('takes changes that follow each other for one until somebody has read, and loses none', () => {
    const { log, begin } = world();
    const a = begin();
    a.update({ method: 'ping' });
    a.mark('bodyRead');
    expect(log.head).toBe(1);
    a.update({ method: 'tools/list' });
    expect(log.read({ after: 1, max: 10 }).rows).toMatchObject([{ method: 'tools/list' }]);
    a.finish({ status: 'ok' });
    expect(log.read({ after: 2, max: 10 }).rows).toMatchObject([{ status: 'ok' }]);
  });

  describe('keeps apart', () => {
    const principal = { kind: 'grant', name: 'claude' };

    it('strangers, who push out each other and no call of an agent', () => {
      const { log, begin } = world({ capacity: 3 });
      const calls = [begin(), begin('t', { stranger: true }), begin()];
      calls[1]!.update({ principal });
      const strangers = Array.from({ length: strangerBounds.capacity + 5 }, () => begin('t', { stranger: true }));
      for (const stranger of strangers) stranger.finish({ status: 'denied' });
      const page = log.read({ after: 0, max: 5_000 });
      expect(page.rows).toHaveLength(3 + strangerBounds.capacity);
      for (const { id } of calls) expect(log.get(id).row.stranger).toBeUndefined();
      expect(page.rows.filter(({ stranger }) => stranger)).toHaveLength(strangerBounds.capacity);
      expect(page.dropped).toBe(0);
      expect(() => log.get(strangers[0]!.id)).toThrow('no longer held');
    });

    it('strangers with much to say, whose bytes count against strangers alone', () => {
      const { log, begin } = world({ maxBytes: 50_000 });
      const call = begin();
      call.finish({ status: 'ok' });
      const headers: [string, string][] = [['x-much', 'y'.repeat(20_000)]];
      for (let index = 0; index < 900; index += 1) begin('t', { stranger: true, headers }).finish({ status: 'denied' });
      expect(log.get(call.id).row.status).toBe('ok');
      expect(log.read({ after: 0, max: 5_000 }).rows.length).toBeLessThan(strangerBounds.maxBytes / 20_000 + 2);
    });

    it('what servers say beside their answers', () => {
      const { log, begin } = world({ capacity: 3 });
      const call = begin();
      for (let index = 0; index <= eventBounds.capacity; index += 1)
        begin('t', { kind: 'event' }).finish({ status: 'ok' });
      expect(log.get(call.id).row.status).toBe('pending');
      expect(log.read({ after: 0, max: 5_000 }).rows).toHaveLength(1 + eventBounds.capacity);
    });
  });

  describe('at its bounds', () => {
    it('pushes the oldest finished row out, and counts it', () => {
      const { log, begin } = world({ capacity: 3 });
      const all = [begin(), begin(), begin()];
      all[1]!.finish({ status: 'ok' });
      const newest = begin();
      const page = log.read({ after: 0, max: 10 });
      expect(ids(page.rows)).toEqual([all[0]!.id, all[2]!.id, newest.id]);
      expect(page.dropped).toBe(1);
      expect(() => log.get(all[1]!.id)).toThrow('no longer held');
    });

    it('pushes the oldest of all out when too many are unfinished', () => {
      const capacity = maxSparedStreams + 10;
      const { log, begin } = world({ capacity });
      const all = Array.from({ length: capacity }, () => begin());
      all.at(-1)!.finish({ status: 'ok' });
      begin();
      expect(() => log.get(all[0]!.id)).toThrow('no longer held');
      expect(log.get(all.at(-1)!.id).row.status).toBe('ok');
    });

    it('holds no more bytes than it may, whatever is captured', () => {
      const { log, begin } = world({ maxBytes: 100_000 });
      for (let index = 0; index < 50; index += 1) {
        const recorder = begin();
        recorder.request(Buffer.alloc(5_000, 'x'));
        recorder.message('server-to-agent', 'y'.repeat(5_000));
        recorder.finish({ status: 'ok' });
        const { rows } = log.read({ after: 0, max: 100 });
        const held = rows.map(({ id }) => log.get(id)).flatMap(({ request, messages }) => [request, ...messages]);
        expect(held.reduce((sum, message) => sum + (message?.text.length ?? 0), 0)).toBeLessThanOrEqual(100_000);
        expect(rows.at(-1)?.id).toBe(recorder.id);
      }
      const { rows, dropped } = log.read({ after: 0, max: 100 });
      expect(rows.length).toBeGreaterThan(5);
      expect(rows.length + dropped).toBe(50);
    });

    it('an endless stream takes its own share and pushes nobody out', () => {
      const { log, begin } = world({ maxBytes: 8 * 1024 * 1024 });
      const other = begin();
      other.finish({ status: 'ok' });
      const stream = begin();
      for (let index = 0; index < 100; index += 1) stream.message('server-to-agent', 'x'.repeat(200 * 1024));
      expect(log.get(other.id).row.status).toBe('ok');
    });

    it('an exchange that was pushed out goes on without a trace', () => {
      const { log, begin } = world({ capacity: 1 });
      const old = begin();
      begin();
      const { head } = log;
      old.message('server-to-agent', 'late');
      old.finish({ status: 'ok' });
      expect(log.head).toBe(head);
      expect(log.read({ after: 0, max: 10 }).rows).toHaveLength(1);
    });
  });

  describe('clear', () => {
    it('forgets all rows and raises the epoch', () => {
      const { log, begin } = world();
      const a = begin();
      const { epoch } = log.read({ after: 0, max: 1 });
      log.clear();
      a.finish({ status: 'ok' });
      expect(log.read({ after: 0, max: 10 })).toMatchObject({ rows: [], epoch: epoch + 1, dropped: 0 });
    });

    it('forgets one tunnel and leaves the others', () => {
      const { log, begin } = world();
      const [, kept] = [begin('x'), begin('y')];
      log.clear('x');
      expect(ids(log.read({ after: 0, max: 10 }).rows)).toEqual([kept.id]);
    });

    it('is told to who listens', () => {
      const { log } = world();
      let told = 0;
      const before = log.head;
      log.onChange(() => (told += 1));
      log.clear();
      expect([told, log.head]).toEqual([1, before + 1]);
    });
  });

  it('ids of one process are not those of the next', () => {
    const { begin, clock } = world();
    clock.advance(1);
    const later = new TrafficLog({ clock, secrets: () => [] });
    const other = later.begin({
      tunnel: 't',
      direction: 'agent-to-server',
      kind: 'request',
      httpMethod: 'POST',
      path: '/',
      headers: [],
    });
    expect(begin().id).not.toBe(other.id);
  });

  it('a viewer that follows the cursor ends up with what the log holds', () => {
    const step = fc.oneof(
      fc.constant('begin' as const),
      fc.constant('read' as const),
      fc.constant('clear' as const),
      fc.record({ change: fc.nat(20) }),
      fc.record({ end: fc.nat(20) }),
      fc.constant('stranger' as const),
      fc.record({ known: fc.nat(20) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), fc.integer({ min: 1, max: 4 }), (steps, max) => {
        const { log, begin } = world({ capacity: 8 });
        const recorders: ExchangeRecorder[] = [];
        let [cursor, epoch] = [0, -1];
        const held = new Map<string, ExchangeRow>();
        const readOnce = (): boolean => {
          const page = log.read({ after: cursor, max });
          if (page.epoch !== epoch) held.clear();
          epoch = page.epoch;
          cursor = page.next;
          for (const row of page.rows) held.set(row.id, row);
          return page.more;
        };
        for (const step of steps) {
          if (step === 'begin') recorders.push(begin());
          else if (step === 'stranger') recorders.push(begin('t', { stranger: true }));
          else if (step === 'read') readOnce();
          else if (step === 'clear') log.clear();
          else if ('known' in step) recorders[step.known]?.update({ principal: { kind: 'grant', name: 'a' } });
          else if ('change' in step) recorders[step.change]?.responseBytes(1);
          else recorders[step.end]?.finish({ status: 'ok' });
        }
        while (readOnce());
        const now = log.read({ after: 0, max: 100 }).rows;
        for (const row of now) expect(held.get(row.id)).toEqual(row);
        expect(now.filter(({ stranger }) => !stranger).length).toBeLessThanOrEqual(8);
      }),
      { numRuns: 300 },
    );
  });
});
