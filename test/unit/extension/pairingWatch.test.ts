import { describe, expect, it } from 'vitest';
import { plainName, whenOver, whoAsks } from '../../../src/extension/pairingWatch.ts';
import { Store } from '../../../src/extension/store.ts';
import type { TunnelInfo } from '../../../src/protocol/control.ts';
import { nowMs, tunnel } from './samples.ts';

const pending = {
  name: 'Claude',
  redirectHost: 'claude.ai',
  local: false,
  scopes: [],
  untilMs: nowMs + 1,
  triesLeft: 3,
};

function world(): { store: Store; say: (changes: Partial<TunnelInfo>) => void } {
  const store = new Store();
  store.accept({ kind: 'helper', state: { kind: 'running', product: 'p', pid: 1 } });
  const say = (changes: Partial<TunnelInfo>): void =>
    store.accept({ kind: 'tunnels', tunnels: [tunnel({ id: 'other' }), tunnel(changes)] });
  say({ pairing: { untilMs: nowMs } });
  return { store, say };
}

describe('waiting for an agent', () => {
  it('ends with the first one that asks', async () => {
    const { store, say } = world();
    const asked = whoAsks(store, 't1', new AbortController().signal);
    say({ pairing: { untilMs: nowMs } });
    say({ pairing: { untilMs: nowMs, pending } });
    expect(await asked).toEqual(pending);
    expect(await whoAsks(store, 't1', new AbortController().signal)).toEqual(pending);
  });

  it('ends when pairing closes, the tunnel goes or the person leaves', async () => {
    const closed = world();
    const first = whoAsks(closed.store, 't1', new AbortController().signal);
    closed.say({});
    expect(await first).toBeUndefined();

    const gone = world();
    const second = whoAsks(gone.store, 't1', new AbortController().signal);
    gone.store.accept({ kind: 'helper', state: { kind: 'stopped' } });
    expect(await second).toBeUndefined();

    const left = new AbortController();
    const third = whoAsks(world().store, 't1', left.signal);
    left.abort();
    expect(await third).toBeUndefined();
  });
});

it('hears once that nobody waits any more', () => {
  const { store, say } = world();
  say({ pairing: { untilMs: nowMs, pending } });
  let over = 0;
  whenOver(store, 't1', () => void (over += 1));
  const stop = whenOver(store, 't1', () => void (over += 10));
  stop();
  say({ pairing: { untilMs: nowMs, pending: { ...pending, triesLeft: 2 } } });
  expect(over).toBe(0);
  say({});
  say({});
  expect(over).toBe(1);
});

it('a name makes no link in a notification', () => {
  expect(plainName('[Claude](https://evil.example)')).toBe('(Claude)(https://evil.example)');
});
