import { expect, it } from 'vitest';
import { ServerRefresh } from '../../../src/extension/serverRefresh.ts';
import type { ServerList } from '../../../src/core/server.ts';

function world() {
  const waiting: { resolve: (list: ServerList) => void; reject: (error: Error) => void }[] = [];
  const reported: unknown[] = [];
  const logged: string[] = [];
  const refresh = new ServerRefresh({
    helper: {
      request: () => new Promise((resolve, reject) => waiting.push({ resolve, reject })) as never,
      report: (event) => void reported.push(event),
    },
    folders: () => ['/work'],
    log: (message) => void logged.push(message),
  });
  return { refresh, waiting, reported, logged };
}

const list: ServerList = { servers: [], problems: [] };

it('asks one question at a time, and once more for all that changed meanwhile', async () => {
  const { refresh, waiting, reported } = world();
  const first = refresh.refresh();
  void refresh.refresh();
  void refresh.refresh();
  expect(waiting).toHaveLength(1);
  waiting[0]?.resolve(list);
  await expect.poll(() => waiting.length).toBe(2);
  waiting[1]?.resolve(list);
  await first;
  expect(waiting).toHaveLength(2);
  expect(reported).toHaveLength(2);
});

it('keeps the list it has when the helper cannot answer, and logs why', async () => {
  const { refresh, waiting, reported, logged } = world();
  const asked = refresh.refresh();
  waiting[0]?.reject(new Error('no helper'));
  await asked;
  expect(reported).toEqual([]);
  expect(logged.join()).toContain('no helper');
});
