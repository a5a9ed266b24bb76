import { describe, expect, it } from 'vitest';
import { LoopWatch } from '../../../src/upstream/loopWatch.ts';

const died = { code: 3, signal: null };
const killed = { code: null, signal: 'SIGKILL' } as const;
const crashed = { code: null, signal: 'SIGSEGV' } as const;

/** What follows each end. */
function after(ends: readonly Parameters<LoopWatch['ended']>[0][], limits = { maxRestarts: 2, maxKills: 3 }): string[] {
  const watch = new LoopWatch(limits);
  return ends.map((exit) => {
    watch.ended(exit);
    return watch.next();
  });
}

describe('LoopWatch', () => {
  it('starts a server that died at once, then after a pause, then never', () => {
    expect(after([died, died, died])).toEqual(['now', 'later', 'never']);
  });

  it('takes a crash for the server’s own doing', () => {
    expect(after([crashed, crashed, crashed])).toEqual(['now', 'later', 'never']);
  });

  it('does not count starts that somebody else put an end to', () => {
    expect(after([killed, killed, killed, killed, died])).toEqual(['now', 'later', 'later', 'later', 'later']);
  });

  it('gives up a server that is killed at every start, too', () => {
    expect(after(Array.from({ length: 6 }, () => killed))).toEqual([
      'now',
      'later',
      'later',
      'later',
      'later',
      'never',
    ]);
  });

  it('begins anew when it has served', () => {
    const watch = new LoopWatch({ maxRestarts: 1, maxKills: 0 });
    for (let round = 0; round < 3; round += 1) {
      expect(watch.next()).toBe('now');
      watch.served();
    }
  });

  it('does not count the end of one that served as a start that was put an end to', () => {
    expect(new LoopWatch({ maxRestarts: 1, maxKills: 1 }).ended(killed)).toBe(false);
  });
});
