import { expect, it } from 'vitest';
import { Backoff } from '../../../src/core/backoff.ts';

const nearlyOne = 1 - Number.EPSILON;

it('doubles the ceiling with each attempt up to its maximum, also after thousands of them', () => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 1_000, random: () => nearlyOne });
  expect([1, 2, 3, 4, 5].map(() => backoff.next())).toEqual([99, 199, 399, 799, 999]);
  for (let attempt = 0; attempt < 5_000; attempt += 1) expect(backoff.next()).toBe(999);
  expect(backoff.attempt).toBe(5_005);
});

it('draws from the whole range below the ceiling', () => {
  const draws = [0, 0.5, nearlyOne];
  const backoff = new Backoff({ baseMs: 1_000, maxMs: 1_000, random: () => draws.shift()! });
  expect([backoff.next(), backoff.next(), backoff.next()]).toEqual([0, 500, 999]);
});

it('starts from the base again after a success', () => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 1_000, random: () => nearlyOne });
  backoff.next();
  backoff.next();
  backoff.reset();
  expect(backoff.next()).toBe(99);
  expect(backoff.attempt).toBe(1);
});
