import { expect, it } from 'vitest';
import { orAborted } from '../../../src/core/orAborted.ts';
import { repeat } from '../../../src/core/repeat.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { until } from '../../support/until.ts';

it('comes again after the pause, whatever went wrong, one at a time, until it is closed', async () => {
  const clock = new FakeClock();
  const ends: (() => void)[] = [];
  let begun = 0;
  const work = repeat(clock, 100, () => {
    begun += 1;
    return new Promise((_resolve, reject) => ends.push(() => reject(new Error('no'))));
  });
  clock.advance(99);
  expect(begun).toBe(0);
  clock.advance(1);
  clock.advance(1000);
  expect(begun).toBe(1);
  ends[0]?.();
  await until(() => clock.pending === 1);
  clock.advance(100);
  expect(begun).toBe(2);
  work.close();
  ends[1]?.();
  await new Promise(setImmediate);
  expect(clock.pending).toBe(0);
});

it('does not wait for work that nobody wants any more', async () => {
  const aborter = new AbortController();
  const work = orAborted(new Promise(() => {}), aborter.signal);
  aborter.abort(new Error('enough'));
  await expect(work).rejects.toThrow('enough');
  expect(await orAborted(Promise.resolve(7), new AbortController().signal)).toBe(7);
});
