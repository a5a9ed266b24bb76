// Whoever opens, closes: a test that calls `expectNothingLeft` first fails when a socket, server, child or timer that it
// made is still there once everything it registered to be closed was closed.
import { onTestFinished } from 'vitest';
import { systemClock, type Clock } from '../../src/core/clock.ts';
import { until } from './until.ts';

/** What comes and goes with the event loop's own work. */
const passing = new Set(['Immediate', 'FSReqCallback', 'FSReqPromise', 'WorkRequest', 'CloseReq']);

/** Call it before anything is opened: what is registered first runs last. */
export function expectNothingLeft(clock?: CountingClock): void {
  const before = count();
  onTestFinished(async () => {
    await until(
      () => surplus(before).length === 0 && (clock?.pending ?? 0) === 0,
      5000,
      () => {
        return `still open: ${[...surplus(before), ...(clock?.pending ? [`${clock.pending} timers`] : [])].join(', ')}`;
      },
    );
  });
}

/** Real time that knows how many of its timers wait. */
export class CountingClock implements Clock {
  #pending = 0;

  get pending(): number {
    return this.#pending;
  }

  now(): number {
    return systemClock.now();
  }

  after(ms: number, callback: () => void): { cancel(): void } {
    let waits = true;
    this.#pending += 1;
    const settle = (): void => {
      if (waits) this.#pending -= 1;
      waits = false;
    };
    const timer = systemClock.after(ms, () => {
      settle();
      callback();
    });
    return {
      cancel: () => {
        settle();
        timer.cancel();
      },
    };
  }
}

function count(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

function surplus(before: Map<string, number>): string[] {
  return [...count()]
    .filter(([kind]) => !passing.has(kind) && kind !== 'Timeout')
    .map(([kind, now]) => ({ kind, more: now - (before.get(kind) ?? 0) }))
    .filter(({ more }) => more > 0)
    .map(({ kind, more }) => `${more} ${kind}`);
}
