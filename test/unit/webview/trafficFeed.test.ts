import { expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import type { FilterProblem } from '../../../src/mcp/filter/filter.ts';
import { parseFilter } from '../../../src/mcp/filter/parseFilter.ts';
import type { TrafficWindow } from '../../../src/protocol/inspector.ts';
import { TrafficFeed } from '../../../src/webview/trafficFeed.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { row, windowOf } from './rows.ts';

/** A host that opens views at once, and answers questions about windows when the test says so. */
function world() {
  const clock = new FakeClock();
  const views: { filter: string; tunnel?: string }[] = [];
  const asked: { view: number; from: number | 'end' }[] = [];
  const answers: { resolve: (window: TrafficWindow) => void; reject: (error: Error) => void }[] = [];
  const names: (string | undefined)[][] = [];
  const reachable: boolean[] = [];
  const problems: (FilterProblem | undefined)[] = [];
  let resets = 0;
  const feed = new TrafficFeed({
    view: async (params) => {
      const parsed = parseFilter(params.filter);
      if (parsed.kind === 'problem') return parsed;
      views.push(params);
      return { kind: 'view', view: views.length };
    },
    window: ({ view, from }) => {
      asked.push({ view, from });
      return new Promise((resolve, reject) => answers.push({ resolve, reject }));
    },
    clock,
    onWindow: ({ lines }) => names.push(lines.map((line) => (line.kind === 'row' ? line.row.id : undefined))),
    onReset: () => (resets += 1),
    onReachable: (is) => reachable.push(is),
    onProblem: (problem) => problems.push(problem),
  });
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve(); // The feed takes a few turns to take it in.
  };
  const answer = async (...rows: number[]): Promise<void> => {
    await settle();
    expect(answers).toHaveLength(1); // One question at a time.
    answers.shift()?.resolve(windowOf(rows.map((seq) => row(seq))));
    await settle();
  };
  const refuse = async (error: Error): Promise<void> => {
    await settle();
    answers.shift()?.reject(error);
    await settle();
  };
  return {
    feed,
    clock,
    views,
    asked,
    answers,
    answer,
    refuse,
    settle,
    names,
    reachable,
    problems,
    resets: () => resets,
  };
}

it('reads nothing while the page is hidden', async () => {
  const { feed, asked, views, settle } = world();
  feed.hint();
  feed.look({ from: 0, count: 10 });
  await settle();
  expect([views, asked]).toEqual([[], []]);
});

it('asks one question at a time, and again for what it was told of meanwhile', async () => {
  const { feed, asked, answer, answers, names, settle } = world();
  feed.setVisible(true);
  await settle();
  feed.hint();
  feed.hint();
  await answer(1);
  await answer(1, 2);
  await settle();
  expect([asked.length, answers.length]).toEqual([2, 0]);
  expect(names).toEqual([['x1'], ['x1', 'x2']]);
});

it('asks again after a hint, and for what came into sight', async () => {
  const { feed, asked, answer, settle } = world();
  feed.setVisible(true);
  await answer(1);
  feed.hint();
  await answer(1);
  feed.look({ from: 7, count: 10 });
  await settle();
  expect(asked).toEqual([
    { view: 1, from: 'end' },
    { view: 1, from: 'end' },
    { view: 1, from: 7 },
  ]);
});

it('catches up when it is shown again', async () => {
  const { feed, asked, answer, settle } = world();
  feed.setVisible(true);
  await answer(7);
  feed.setVisible(false);
  feed.hint();
  await settle();
  expect(asked).toHaveLength(1);
  feed.setVisible(true);
  await settle();
  expect(asked).toHaveLength(2);
});

it('holds still while it is paused, except for what the person looks at', async () => {
  const { feed, asked, answer, settle } = world();
  feed.setVisible(true);
  await answer(7);
  feed.setPaused(true);
  feed.hint();
  await settle();
  expect(asked).toHaveLength(1);
  feed.look({ from: 3, count: 10 });
  await answer(3);
  feed.setPaused(false);
  await settle();
  expect(asked).toHaveLength(3);
});

it('asks for its view again when the helper does not have it any more', async () => {
  const { feed, views, answer, refuse, asked, names } = world();
  feed.filter('status:ok');
  feed.setVisible(true);
  await answer(7);
  feed.hint();
  await refuse(new TunnelError('NOT_FOUND', 'this view is no longer held'));
  await answer(8);
  expect(views).toEqual([{ filter: 'status:ok' }, { filter: 'status:ok' }]);
  expect(asked.map(({ view }) => view)).toEqual([1, 1, 2]);
  expect(names).toEqual([['x7'], ['x8']]);
});

it('throws away the answer to a question about another tunnel, and what was shown of it', async () => {
  const { feed, views, answer, names, resets } = world();
  feed.setVisible(true);
  await answer(1);
  feed.hint();
  feed.select('t2');
  await answer(2);
  expect(names).toEqual([['x1']]);
  await answer(3);
  expect(names).toEqual([['x1'], ['x3']]);
  expect([views.at(-1), resets()]).toEqual([{ filter: '', tunnel: 't2' }, 1]);
});

it('says what is wrong with a filter, and goes on with the last good one', async () => {
  const { feed, answer, asked, problems, names } = world();
  feed.setVisible(true);
  await answer(1);
  feed.filter('tool:');
  await answer(2);
  expect(problems.at(-1)).toMatchObject({ kind: 'problem', at: 5 });
  expect([asked.at(-1)?.view, names.at(-1)]).toEqual([1, ['x2']]);
  feed.filter('tool:echo');
  await answer(3);
  expect([asked.at(-1)?.view, problems.at(-1)]).toEqual([2, undefined]);
});

it('says that nobody answers, and tries again after a second', async () => {
  const { feed, asked, answer, refuse, clock, reachable, settle } = world();
  feed.setVisible(true);
  await refuse(new Error('gone'));
  expect([reachable.at(-1), clock.pending, asked.length]).toEqual([false, 1, 1]);
  clock.advance(1_000);
  await settle();
  expect(asked).toHaveLength(2);
  await answer(1);
  expect(reachable.at(-1)).toBe(true);
});
