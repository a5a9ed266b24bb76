import { expect, it } from 'vitest';
import { delay, systemClock } from '../../../src/core/clock.ts';
import { FakeClock } from '../../support/fakeClock.ts';

it('waits as long as it was told', async () => {
  const clock = new FakeClock();
  let done = false;
  const waiting = delay(clock, 100).then(() => (done = true));
  clock.advance(99);
  await Promise.resolve();
  expect(done).toBe(false);
  clock.advance(1);
  await waiting;
  expect(done).toBe(true);
});

it('stops waiting with the reason of the signal, and leaves no timer behind', async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const waiting = delay(clock, 100, controller.signal);
  const reason = new Error('enough');
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  expect(clock.pending).toBe(0);
  await expect(delay(clock, 100, controller.signal)).rejects.toBe(reason);
  expect(clock.pending).toBe(0);
});

it('runs a real timer once, unless it was cancelled', async () => {
  const calls: string[] = [];
  const cancelled = systemClock.after(1, () => calls.push('cancelled'));
  cancelled.cancel();
  await new Promise<void>((resolve) => {
    const keepAlive = setTimeout(() => {}, 5_000); // The clock's own timers do not keep a process alive.
    systemClock.after(5, () => {
      calls.push('ran');
      clearTimeout(keepAlive);
      resolve();
    });
  });
  expect(calls).toEqual(['ran']);
});
