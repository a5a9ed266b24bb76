import { describe, expect, it } from 'vitest';
import { Hints } from '../../../src/helper/hints.ts';
import { FakeClock } from '../../support/fakeClock.ts';

function watched() {
  const clock = new FakeClock();
  let sent = 0;
  const hints = new Hints(clock, 100, () => (sent += 1));
  return { clock, hints, sent: () => sent };
}

describe('hints', () => {
  it('go out at once when the last one is old enough', () => {
    const { clock, hints, sent } = watched();
    hints.changed();
    expect(sent()).toBe(1);
    clock.advance(100);
    hints.changed();
    expect(sent()).toBe(2);
  });

  it('of a thousand changes are two: one at once, one that tells of the last', () => {
    const { clock, hints, sent } = watched();
    for (let change = 0; change < 1000; change += 1) hints.changed();
    expect(sent()).toBe(1);
    clock.advance(99);
    expect(sent()).toBe(1);
    clock.advance(1);
    expect(sent()).toBe(2);
    clock.advance(10_000);
    expect(sent()).toBe(2);
  });

  it('are not sent after the close, and leave no timer', () => {
    const { clock, hints, sent } = watched();
    hints.changed();
    hints.changed();
    hints.close();
    hints.changed();
    clock.advance(1000);
    expect([sent(), clock.pending]).toEqual([1, 0]);
  });

  it('go on when the clock was set back', () => {
    const { clock, hints, sent } = watched();
    hints.changed();
    clock.advance(-3_600_000);
    hints.changed();
    clock.advance(100);
    expect(sent()).toBe(2);
  });
});
