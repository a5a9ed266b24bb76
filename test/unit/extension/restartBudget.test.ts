import { expect, it } from 'vitest';
import { RestartBudget, restartWindowMs } from '../../../src/extension/restartBudget.ts';

it('allows three restarts with growing waits, then none within five minutes', () => {
  const budget = new RestartBudget();
  expect([0, 1, 2, 3].map((second) => budget.next(second * 1_000))).toEqual([1_000, 2_000, 4_000, undefined]);
  expect(budget.next(restartWindowMs - 1)).toBeUndefined();
});

it('allows more when old crashes are out of the window, and all when a person asks', () => {
  const budget = new RestartBudget();
  for (const atMs of [0, 1, 2]) budget.next(atMs);
  expect(budget.next(restartWindowMs)).toBe(4_000);
  budget.reset();
  expect(budget.next(restartWindowMs)).toBe(1_000);
});
