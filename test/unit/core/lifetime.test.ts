import { describe, expect, it } from 'vitest';
import { Lifetime } from '../../../src/core/lifetime.ts';

describe('Lifetime', () => {
  it('closes what it owns once, newest first, and waits for each', async () => {
    const lifetime = new Lifetime();
    const order: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      lifetime.defer(async () => {
        await Promise.resolve();
        order.push(name);
      });
    }
    await Promise.all([lifetime.close(), lifetime.close()]);
    expect(order).toEqual(['c', 'b', 'a']);
  });

  it('aborts its signal first, in the same turn', () => {
    const lifetime = new Lifetime();
    void lifetime.close();
    expect(lifetime.signal.aborted).toBe(true);
    expect(lifetime.closed).toBe(true);
  });

  it('closes on arrival what comes after the close, whether its close fails or throws', async () => {
    const lifetime = new Lifetime();
    await lifetime.close();
    let closed = 0;
    lifetime.defer(() => {
      closed += 1;
      throw new Error('nobody hears this');
    });
    lifetime.defer(() => {
      closed += 1;
      return Promise.reject(new Error('nor this'));
    });
    expect(closed).toBe(2);
  });

  it('waits for everything even when closed again from a listener of its own signal', async () => {
    const lifetime = new Lifetime();
    let done = false;
    lifetime.defer(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      done = true;
    });
    lifetime.signal.addEventListener('abort', () => void lifetime.close());
    await lifetime.close();
    expect(done).toBe(true);
  });

  it('closes the others when one fails, and throws the first failure', async () => {
    const lifetime = new Lifetime();
    let closed = false;
    lifetime.defer(() => {
      closed = true;
    });
    lifetime.defer(() => {
      throw new Error('second');
    });
    lifetime.defer(() => Promise.reject(new Error('first')));
    await expect(lifetime.close()).rejects.toThrow('first');
    expect(closed).toBe(true);
  });

  it('leaves alone what was dropped', async () => {
    const lifetime = new Lifetime();
    let closed = false;
    const closable = lifetime.add({ close: () => void (closed = true) });
    lifetime.drop(closable);
    await lifetime.close();
    expect(closed).toBe(false);
  });
});
