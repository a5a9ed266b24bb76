import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { lookEveryMs, NetworkWatch, sleptMs } from '../../../src/tunnel/networkWatch.ts';
import { FakeClock } from '../../support/fakeClock.ts';

const has = (address: string, internal = false) =>
  ({ address, cidr: `${address}/24`, internal }) as NetworkInterfaceInfo;

function world() {
  const clock = new FakeClock();
  const state = { interfaces: { lo: [has('127.0.0.1', true)], eth0: [has('192.168.0.2')] } as object, looks: 0 };
  const watch = new NetworkWatch({
    clock,
    interfaces: () => {
      state.looks += 1;
      return state.interfaces as Record<string, NetworkInterfaceInfo[]>;
    },
  });
  const said: string[] = [];
  return { clock, state, said, watch, off: watch.onChange((what) => said.push(what)) };
}

describe('NetworkWatch', () => {
  it('says nothing while nothing changes', () => {
    const { clock, said } = world();
    clock.advance(100 * lookEveryMs);
    expect(said).toEqual([]);
  });

  it('says once that the machine has other addresses', () => {
    const { clock, state, said } = world();
    state.interfaces = { eth0: [has('10.0.0.7')] };
    clock.advance(5 * lookEveryMs);
    expect(said).toEqual(['this machine has other network addresses']);
    state.interfaces = {};
    clock.advance(lookEveryMs);
    expect(said).toHaveLength(2);
  });

  it('does not mind what only this machine sees, nor the order', () => {
    const { clock, state, said } = world();
    state.interfaces = { eth0: [has('192.168.0.2')], lo: [has('127.0.0.1', true), has('127.0.0.9', true)] };
    clock.advance(lookEveryMs);
    expect(said).toEqual([]);
  });

  it('says that the machine has slept', () => {
    const { clock, said } = world();
    clock.jump(3_600_000);
    clock.advance(lookEveryMs);
    expect(said).toEqual(['this machine was away for 3600 s']);
    clock.jump(sleptMs - 1);
    clock.advance(lookEveryMs);
    expect(said).toHaveLength(1);
  });

  it('looks only while somebody listens', () => {
    const { clock, state, off, watch } = world();
    const another = watch.onChange(() => {});
    off();
    off();
    const { looks } = state;
    clock.advance(lookEveryMs);
    expect(state.looks).toBe(looks + 1);
    another();
    expect(clock.pending).toBe(0);
  });

  it('lives where a program may not ask', () => {
    const clock = new FakeClock();
    const watch = new NetworkWatch({
      clock,
      interfaces: () => {
        throw new Error('EPERM');
      },
    });
    const off = watch.onChange(() => expect.unreachable());
    clock.advance(3 * lookEveryMs);
    off();
  });
});
