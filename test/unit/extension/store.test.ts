import { expect, it } from 'vitest';
import { Store, type HelperEvent } from '../../../src/extension/store.ts';
import { grant, heldCall, server, toolRules, tunnel } from './samples.ts';

const running: HelperEvent = { kind: 'helper', state: { kind: 'running', product: '1.0.0', pid: 1 } };

it('mirrors what the helper says and tells what kind of thing changed', () => {
  const store = new Store();
  const heard: string[] = [];
  store.onChange((what) => heard.push(what));
  expect(store.servers).toBeUndefined();

  store.accept(running);
  store.accept({ kind: 'servers', list: { servers: [server()], problems: [] } });
  store.accept({ kind: 'tunnels', tunnels: [tunnel()] });

  expect(store.helper.kind).toBe('running');
  expect(store.servers?.servers.map(({ name }) => name)).toEqual(['everything']);
  expect(store.tunnels.map(({ id }) => id)).toEqual(['t1']);
  expect(heard).toEqual(['helper', 'servers', 'tunnels']);
});

it('shows no tunnels while there is no helper to hold them, and keeps the servers', () => {
  const store = new Store();
  store.accept(running);
  store.accept({ kind: 'servers', list: { servers: [server()], problems: [] } });
  store.accept({ kind: 'tunnels', tunnels: [tunnel()] });

  store.accept({ kind: 'helper', state: { kind: 'restarting', atMs: 1 } });

  expect(store.tunnels).toEqual([]);
  expect(store.servers?.servers).toHaveLength(1);
});

it('ignores tunnels of a helper that is gone already', () => {
  const store = new Store();
  store.accept({ kind: 'tunnels', tunnels: [tunnel()] });
  expect(store.tunnels).toEqual([]);
});

it('mirrors grants, and shows none while there is no helper to let anybody in', () => {
  const store = new Store();
  store.accept({ kind: 'grants', grants: [grant()] });
  expect(store.grants).toEqual([]);
  store.accept(running);
  store.accept({ kind: 'grants', grants: [grant()] });
  expect(store.grants.map(({ id }) => id)).toEqual(['g1']);
  store.accept({ kind: 'helper', state: { kind: 'restarting', atMs: 1 } });
  expect(store.grants).toEqual([]);
});

it('mirrors calls that wait, and none of a helper that is gone', () => {
  const store = new Store();
  const holds = { held: [heldCall()], breakpoints: [{ once: true }] };
  store.accept({ kind: 'holds', holds });
  expect(store.holds.held).toEqual([]);
  store.accept(running);
  store.accept({ kind: 'holds', holds });
  expect(store.holds).toEqual(holds);
  store.accept({ kind: 'helper', state: { kind: 'restarting', atMs: 1 } });
  expect(store.holds).toEqual({ held: [], breakpoints: [] });
});

it('drops what was known of the tools of a tunnel that is gone', () => {
  const store = new Store();
  store.accept(running);
  store.accept({ kind: 'tunnels', tunnels: [tunnel(), tunnel({ id: 't2' })] });
  for (const id of ['t1', 't2', 't3']) {
    store.accept({ kind: 'tools', tunnel: id, state: { kind: 'loaded', rules: toolRules() } });
  }
  expect([...store.tools.keys()]).toEqual(['t1', 't2']);
  store.accept({ kind: 'tunnels', tunnels: [tunnel()] });
  expect([...store.tools.keys()]).toEqual(['t1']);
});
