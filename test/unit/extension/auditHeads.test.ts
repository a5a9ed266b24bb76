import { expect, it } from 'vitest';
import {
  AuditHeads,
  maxChains,
  maxHeadsPerChain,
  persistIntervalMs,
  type Setback,
} from '../../../src/extension/auditHeads.ts';
import type { AuditHead } from '../../../src/protocol/control.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { secretStorage } from './memory.ts';

const head = (count: number, changes: Partial<AuditHead> = {}): AuditHead => ({
  chain: 'c1',
  key: 'k'.repeat(64),
  count,
  hash: `hash-${count}`,
  ...changes,
});

function world() {
  const secrets = secretStorage();
  const clock = new FakeClock();
  const setbacks: Setback[] = [];
  const logged: string[] = [];
  let writes = 0;
  const counted = {
    get: (key: string) => secrets.get(key),
    store: (key: string, value: string) => {
      writes += 1;
      return secrets.store(key, value);
    },
  };
  /** A window over the same storage. */
  const open = (): AuditHeads =>
    new AuditHeads({
      secrets: counted,
      clock,
      onSetback: (setback) => setbacks.push(setback),
      log: (line) => logged.push(line),
    });
  return { secrets, clock, setbacks, logged, open, writes: () => writes };
}
const counts = (heads: readonly AuditHead[]): number[] => heads.map(({ count }) => count);

it('keeps the newest head, written at once for the first and then at most every half minute', async () => {
  const { open, clock, writes, setbacks } = world();
  const heads = open();
  await heads.accept(head(1));
  expect(writes()).toBe(1);
  for (const count of [2, 3, 4]) await heads.accept(head(count));
  expect(writes()).toBe(1);
  clock.advance(persistIntervalMs);
  await heads.save();
  expect(writes()).toBe(2);
  expect(counts(await open().all())).toEqual([4]);
  expect(setbacks).toEqual([]);
});

it('tells of a log that has fewer records than were kept, once, and keeps what it knew', async () => {
  const { open, setbacks } = world();
  await open().accept(head(100));
  const heads = open();
  await heads.accept(head(90));
  await heads.accept(head(95));
  await heads.accept(head(120));
  expect(setbacks).toEqual([{ kept: head(100), came: head(90) }]);
  expect(counts(await heads.all())).toEqual([100]);
});

it('tells of another record at the same place, and of another key', async () => {
  const { open, setbacks } = world();
  await open().accept(head(5));
  await open().accept(head(5, { hash: 'other' }));
  await open().accept(head(6, { key: 'x' }));
  expect(setbacks.map(({ came }) => came)).toEqual([head(5, { hash: 'other' }), head(6, { key: 'x' })]);
});

it('tells of a log that steps back while the window is open', async () => {
  const { open, setbacks } = world();
  const heads = open();
  await heads.accept(head(5));
  await heads.accept(head(8));
  await heads.accept(head(7));
  expect(setbacks).toEqual([{ kept: head(8), came: head(7) }]);
});

it('keeps what was known before this window beside the newest, for logs that were cut and grew again', async () => {
  const { open } = world();
  for (const count of [10, 20, 30, 40, 50, 60]) await open().accept(head(count));
  expect(counts(await open().all())).toEqual([30, 40, 50, 60]);
  expect(maxHeadsPerChain).toBe(4);
});

it('does not take the progress of another window for a setback', async () => {
  const { open, setbacks } = world();
  const [mine, theirs] = [open(), open()];
  await mine.accept(head(1));
  await mine.accept(head(2)); // Waits to be written while its helper ends, and another window's goes on with the log.
  await theirs.accept(head(9));
  await mine.save();
  mine.begin();
  await mine.accept(head(12));
  expect(setbacks).toEqual([]);
  expect(counts(await mine.all())).toEqual([1, 9, 12]);
});

it('sees a setback also in a log that this window wrote before, once its next helper goes on with it', async () => {
  const { open, setbacks } = world();
  const [mine, theirs] = [open(), open()];
  await mine.accept(head(1));
  await theirs.accept(head(500));
  mine.begin();
  await mine.accept(head(300));
  expect(setbacks).toEqual([{ kept: head(500), came: head(300) }]);
});

it('keeps a bounded number of logs, those that grew last', async () => {
  const { open } = world();
  const heads = open();
  for (let chain = 0; chain < maxChains + 3; chain += 1) await heads.accept(head(1, { chain: `c${chain}` }));
  const kept = await open().all();
  expect(kept).toHaveLength(maxChains);
  expect(kept[0]?.chain).toBe('c3');
});

it('begins anew, and says so, where what was kept cannot be read', async () => {
  const { open, secrets, logged } = world();
  for (const text of ['{', '{"a":1}', '[{"chain":1}]', '[null]']) {
    await secrets.store('audit/heads', text);
    expect(await open().all()).toEqual([]);
  }
  expect(logged).toHaveLength(8); // Read before and after writing.
  await open().accept(head(1));
  expect(counts(await open().all())).toEqual([1]);
});

it('goes on when the storage fails, and tries again', async () => {
  const { clock, logged } = world();
  const secrets = secretStorage();
  let broken = true;
  const heads = new AuditHeads({
    secrets: {
      get: (key: string) => secrets.get(key),
      store: (key, value) => (broken ? Promise.reject(new Error('locked')) : secrets.store(key, value)),
    },
    clock,
    onSetback: () => {},
    log: (line) => logged.push(line),
  });
  await heads.accept(head(1));
  expect(logged.at(-1)).toContain('locked');
  broken = false;
  await heads.accept(head(2));
  await heads.save();
  expect(counts(await heads.all())).toEqual([2]);
});

it('forgets a log that a person removed on purpose, and begins with what comes next', async () => {
  const { open, setbacks } = world();
  await open().accept(head(100));
  const heads = open();
  await heads.accept(head(1));
  await heads.forget(['c1']);
  await heads.accept(head(2));
  expect(setbacks).toHaveLength(1);
  expect(counts(await heads.all())).toEqual([2]);
});
