import { expect, it } from 'vitest';
import type { ExchangeRow, TrafficPage } from '../../../src/protocol/inspector.ts';
import { pageRows, TrafficFeed } from '../../../src/webview/trafficFeed.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { row } from './rows.ts';

function world() {
  const clock = new FakeClock();
  const asked: { tunnel?: string; after: number; max: number }[] = [];
  const answers: { resolve: (page: TrafficPage) => void; reject: (error: Error) => void }[] = [];
  const rows: ExchangeRow[] = [];
  const reachable: boolean[] = [];
  let resets = 0;
  const feed = new TrafficFeed({
    read: (params) => {
      asked.push(params);
      return new Promise((resolve, reject) => answers.push({ resolve, reject }));
    },
    clock,
    onRows: (more) => rows.push(...more),
    onReset: () => {
      resets += 1;
      rows.length = 0;
    },
    onReachable: (is) => reachable.push(is),
  });
  const answer = async (page: Partial<TrafficPage>): Promise<void> => {
    await expect.poll(() => answers.length).toBeGreaterThan(0);
    answers.shift()?.resolve({ rows: [], next: 0, more: false, dropped: 0, epoch: 1, ...page });
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve(); // The feed takes a few turns to take it in.
  };
  return { feed, clock, asked, answers, answer, rows, reachable, resets: () => resets };
}

it('reads nothing while the page is hidden', () => {
  const { feed, asked } = world();
  feed.hint(10);
  feed.hint(20);
  expect(asked).toEqual([]);
});

it('reads page after page until there is no more, one question at a time', async () => {
  const { feed, asked, answer, rows } = world();
  feed.setVisible(true);
  feed.hint(5);
  expect(asked).toEqual([{ after: 0, max: pageRows }]);
  await answer({ rows: [row(1)], next: 1, more: true });
  await answer({ rows: [row(2)], next: 2 });
  // The hint came while the first question was open, so the second one answered it.
  expect(asked.map(({ after }) => after)).toEqual([0, 1]);
  expect(rows.map(({ id }) => id)).toEqual(['x1', 'x2']);
});

it('asks again after a hint, from where it stopped', async () => {
  const { feed, asked, answer } = world();
  feed.setVisible(true);
  await answer({ rows: [row(7)], next: 7 });
  expect(asked).toHaveLength(1);
  feed.hint(8);
  expect(asked[1]).toEqual({ after: 7, max: pageRows });
});

it('catches up when it is shown again', async () => {
  const { feed, asked, answer } = world();
  feed.setVisible(true);
  await answer({ next: 7 });
  feed.setVisible(false);
  feed.hint(9);
  expect(asked).toHaveLength(1);
  feed.setVisible(true);
  expect(asked[1]?.after).toBe(7);
});

it('begins anew when the log was cleared', async () => {
  const { feed, asked, answer, resets } = world();
  feed.setVisible(true);
  await answer({ rows: [row(7)], next: 7 });
  feed.hint(8);
  await answer({ rows: [row(8)], next: 8, epoch: 2 });
  expect(resets()).toBe(1);
  expect(asked.at(-1)?.after).toBe(0);
});

it('begins anew when a new helper counts from the start', async () => {
  const { feed, asked, answer, resets } = world();
  feed.setVisible(true);
  await answer({ next: 700 });
  feed.hint(2);
  expect(resets()).toBe(1);
  expect(asked.at(-1)?.after).toBe(0);
});

it('throws away the answer to a question about another tunnel', async () => {
  const { feed, asked, answer, rows } = world();
  feed.setVisible(true);
  feed.select('t2');
  await answer({ rows: [row(1)], next: 1 });
  expect(rows).toEqual([]);
  expect(asked.at(-1)).toEqual({ tunnel: 't2', after: 0, max: pageRows });
  await answer({ rows: [row(2, { tunnel: 't2' })], next: 2 });
  expect(rows.map(({ id }) => id)).toEqual(['x2']);
});

it('says that nobody answers, and tries again after a second', async () => {
  const { feed, asked, answers, answer, clock, reachable } = world();
  feed.setVisible(true);
  answers.shift()?.reject(new Error('gone'));
  await expect.poll(() => clock.pending).toBe(1);
  expect(reachable).toEqual([false]);
  expect(asked).toHaveLength(1);
  clock.advance(1_000);
  expect(asked).toHaveLength(2);
  await answer({ next: 1 });
  expect(reachable).toEqual([false, true]);
});
