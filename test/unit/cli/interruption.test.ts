import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { interruption } from '../../../src/cli/interruption.ts';

class FakeProcess extends EventEmitter {
  readonly stdout = new EventEmitter();
  readonly stderr = new EventEmitter();
  readonly exits: number[] = [];
  exit(code: number): void {
    this.exits.push(code);
  }
}
function make() {
  const fake = new FakeProcess();
  return { fake, interrupted: interruption(fake as unknown as NodeJS.Process) };
}

describe('interruption', () => {
  it('asks first and does not wait the second time', () => {
    const { fake, interrupted } = make();
    expect(interrupted.exitCode).toBeUndefined();
    fake.emit('SIGINT');
    expect([interrupted.signal.aborted, interrupted.exitCode, fake.exits]).toEqual([true, 130, []]);
    fake.emit('SIGINT');
    expect(fake.exits).toEqual([130]);
  });

  it('ends well when it is told to end, or nobody reads any more', () => {
    for (const tell of [
      ({ fake }: ReturnType<typeof make>) => fake.emit('SIGTERM'),
      ({ fake }: ReturnType<typeof make>) => fake.emit('SIGHUP'),
      ({ fake }: ReturnType<typeof make>) => fake.stdout.emit('error', Object.assign(new Error(), { code: 'EPIPE' })),
    ]) {
      const made = make();
      tell(made);
      expect([made.interrupted.signal.aborted, made.interrupted.exitCode]).toEqual([true, 0]);
      expect(made.interrupted.signal.reason).toMatchObject({ code: 'CANCELLED' });
    }
  });

  it('does not wait for what is under way after Ctrl-C, or when it is told to end a second time', () => {
    const interrupted = make();
    interrupted.fake.emit('SIGINT');
    expect(interrupted.interrupted.urgent.aborted).toBe(true);

    const told = make();
    const seen: boolean[] = [];
    told.interrupted.urgent.addEventListener('abort', () => seen.push(told.interrupted.signal.aborted));
    told.fake.emit('SIGTERM');
    expect([told.interrupted.signal.aborted, told.interrupted.urgent.aborted]).toEqual([true, false]);
    told.fake.emit('SIGTERM');
    expect([told.interrupted.urgent.aborted, told.interrupted.exitCode, told.fake.exits]).toEqual([true, 0, []]);
    expect(seen).toEqual([true]);
  });

  it('ends when its terminal has gone, and by SIGHUP unless a command takes that', () => {
    const gone = make();
    gone.fake.stdout.emit('error', Object.assign(new Error(), { code: 'EIO' }));
    expect(gone.interrupted.exitCode).toBe(0);

    const { fake, interrupted } = make();
    let heard = 0;
    interrupted.onHangup(() => (heard += 1));
    fake.emit('SIGHUP');
    fake.emit('SIGHUP');
    expect([heard, interrupted.signal.aborted]).toEqual([2, false]);
  });
});
