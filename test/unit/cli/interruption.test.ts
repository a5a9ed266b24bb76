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
});
