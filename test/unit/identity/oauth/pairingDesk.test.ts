import { describe, expect, it } from 'vitest';
import {
  browserSilentMs,
  maxTries,
  PairingDesk,
  pairingWindowMs,
  type PairingClient,
  type PairingTerms,
} from '../../../../src/identity/oauth/pairingDesk.ts';
import { FakeClock } from '../../../support/fakeClock.ts';

const client: PairingClient = { name: 'Claude', redirectHost: 'claude.ai', local: false, scopes: ['mcp'] };
const terms: PairingTerms = { name: 'Claude', scope: {}, expiresMs: 1 };

function world(): { clock: FakeClock; desk: PairingDesk; ended: string[]; asked: string[] } {
  const clock = new FakeClock();
  const numbers = [42, 123_456, 999_999];
  const desk = new PairingDesk({ clock, randomInt: () => numbers.shift() ?? 0 });
  const ended: string[] = [];
  const asked: string[] = [];
  desk.onEnded(({ outcome }) => ended.push(outcome));
  desk.onAsked(({ name }) => asked.push(name));
  return { clock, desk, ended, asked };
}

describe('while the desk is closed', () => {
  it('nobody is heard, and everybody is counted without a prompt', () => {
    const { desk, asked } = world();
    expect([desk.admits(), desk.admits()]).toEqual(['closed', 'closed']);
    expect(desk.visit('a', client)).toEqual({ kind: 'closed' });
    expect({ attempts: desk.attempts, asked, window: desk.window }).toEqual({
      attempts: 2,
      asked: [],
      window: undefined,
    });
    expect(() => desk.answer('000042', terms)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }) as Error);
    expect(() => desk.deny()).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }) as Error);
  });

  it('closes by itself after five minutes, also when the machine slept and its timers ran late', () => {
    const { clock, desk } = world();
    desk.open();
    clock.advance(pairingWindowMs - 1);
    expect(desk.admits()).toBe('open');
    clock.advance(1);
    expect(desk.admits()).toBe('closed');

    const slept = world();
    slept.desk.open();
    const late = slept.clock.now() + pairingWindowMs;
    slept.clock.now = () => late;
    expect(slept.desk.admits()).toBe('closed');
  });

  it('opened twice is open for five minutes from the second time', () => {
    const { clock, desk } = world();
    desk.open();
    clock.advance(pairingWindowMs - 1);
    desk.open();
    clock.advance(pairingWindowMs - 1);
    expect(desk.window?.untilMs).toBe(clock.now() + 1);
  });
});

describe('an agent that waits', () => {
  it('is shown a number of six digits and gets in when it is typed', () => {
    const { desk, ended, asked } = world();
    const { untilMs } = desk.open();
    expect(desk.visit('a', client)).toEqual({ kind: 'pending', number: '000042', untilMs });
    expect(desk.visit('a', client)).toEqual({ kind: 'pending', number: '000042', untilMs });
    expect(desk.window).toEqual({ untilMs, pending: { ...client, untilMs, triesLeft: maxTries } });
    expect(desk.answer(' 000 042 ', terms)).toBe(client);
    expect(desk.visit('a', client)).toEqual({ kind: 'approved', terms });
    expect({ ended, asked, window: desk.window }).toEqual({
      ended: ['approved'],
      asked: ['Claude'],
      window: undefined,
    });
  });

  it('gets in once', () => {
    const { desk } = world();
    desk.open();
    desk.visit('a', client);
    desk.answer('000042', terms);
    expect(desk.visit('a', client).kind).toBe('approved');
    expect(desk.visit('a', client).kind).toBe('closed');
  });

  it('is denied with the third wrong number, and the right one no longer helps', () => {
    const { desk, ended } = world();
    desk.open();
    desk.visit('a', client);
    const left = (): unknown => {
      try {
        return desk.answer('424242', terms);
      } catch (error) {
        return (error as { data?: { triesLeft: number } }).data?.triesLeft;
      }
    };
    expect([left(), left(), left()]).toEqual([2, 1, 0]);
    expect(() => desk.answer('000042', terms)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }) as Error);
    expect(desk.visit('a', client)).toEqual({ kind: 'refused', outcome: 'wrong-number' });
    expect({ ended, window: desk.window }).toEqual({ ended: ['wrong-number'], window: undefined });
  });

  it.each(['', '42', '0000042', '00004', '000042x', '４２'])('is not let in by “%s”', (typed) => {
    const { desk } = world();
    desk.open();
    desk.visit('a', client);
    expect(() => desk.answer(typed, terms)).toThrow(expect.objectContaining({ code: 'CONFLICT' }) as Error);
  });

  it('is told when the developer says no, and when the desk closes', () => {
    const { clock, desk, ended } = world();
    desk.open();
    desk.visit('a', client);
    desk.deny();
    expect(desk.visit('a', client)).toEqual({ kind: 'refused', outcome: 'denied' });
    desk.open();
    desk.visit('b', client);
    desk.close();
    expect(desk.visit('b', client)).toEqual({ kind: 'refused', outcome: 'closed' });
    desk.open();
    desk.visit('c', client);
    for (let waited = 0; waited < pairingWindowMs; waited += browserSilentMs / 2) {
      desk.visit('c', client);
      clock.advance(browserSilentMs / 2);
    }
    expect(desk.visit('c', client)).toEqual({ kind: 'refused', outcome: 'closed' });
    expect(ended).toEqual(['denied', 'closed', 'closed']);
  });

  it('keeps the next one waiting, who is counted and gets a number of its own when the first has gone', () => {
    const { clock, desk, ended } = world();
    desk.open();
    desk.visit('a', client);
    expect(desk.admits()).toBe('busy');
    expect(desk.visit('b', client)).toEqual({ kind: 'busy' });
    expect(desk.attempts).toBe(1);
    clock.advance(browserSilentMs);
    expect(ended).toEqual(['abandoned']);
    expect(desk.visit('b', client)).toMatchObject({ kind: 'pending', number: '123456' });
    expect(() => desk.answer('000042', terms)).toThrow(expect.objectContaining({ code: 'CONFLICT' }) as Error);
    expect(desk.visit('a', client)).toEqual({ kind: 'refused', outcome: 'abandoned' });
  });

  it('leaves no timer behind', () => {
    const { clock, desk } = world();
    desk.open();
    desk.visit('a', client);
    desk.close();
    expect(clock.pending).toBe(0);
  });

  it('is spared as long as it waits or has not been told', () => {
    const { desk } = world();
    desk.open();
    expect(desk.knows('a')).toBe(false);
    desk.visit('a', client);
    expect(desk.knows('a')).toBe(true);
    desk.deny();
    expect(desk.knows('a')).toBe(true);
    desk.visit('a', client);
    expect(desk.knows('a')).toBe(false);
  });

  it('that nobody fetches is not remembered for ever', () => {
    const { desk } = world();
    for (let at = 0; at < 30; at += 1) {
      desk.open();
      desk.visit(`request-${at}`, client);
      desk.deny();
    }
    expect([desk.knows('request-0'), desk.knows('request-29')]).toEqual([false, true]);
  });
});
