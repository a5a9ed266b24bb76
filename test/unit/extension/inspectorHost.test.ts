import { expect, it, onTestFinished } from 'vitest';
import { Emitter } from '../../../src/core/emitter.ts';
import { serveInspector } from '../../../src/extension/inspectorHost.ts';
import { Store } from '../../../src/extension/store.ts';
import type { InspectorHost, InspectorPage } from '../../../src/protocol/inspector.ts';
import { inspectorText } from '../../../src/protocol/inspectorText.ts';
import { Peer } from '../../../src/protocol/peer.ts';
import { portPair } from '../../../src/protocol/portPair.ts';
import { english } from './english.ts';
import { nowMs, tunnel } from './samples.ts';

function world() {
  const [hostPort, pagePort] = portPair();
  const asked: [string, unknown][] = [];
  const hints = new Emitter<{ head: number }>();
  const starts = new Emitter<void>();
  const store = new Store();
  const copied: string[] = [];
  const window = { visible: true };
  const page = serveInspector(hostPort, {
    helper: {
      request: async (method: string, params: unknown) => (asked.push([method, params]), { rows: [] }) as never,
      onTrafficChanged: hints.on,
      onStarted: starts.on,
    },
    store,
    visible: () => window.visible,
    copy: async (text) => void copied.push(text),
    now: () => nowMs,
    t: english,
    log: () => {},
  });
  const peer = new Peer<InspectorPage, InspectorHost>(pagePort);
  const heard: [string, unknown][] = [];
  for (const name of ['traffic/changed', 'panel/visible', 'panel/select', 'panel/tunnelsChanged'] as const) {
    peer.on(name, (params) => void heard.push([name, params]));
  }
  peer.start();
  onTestFinished(() => peer.close());
  return { page, peer, asked, hints, starts, store, copied, window, heard };
}

it('passes the page’s questions on to the helper', async () => {
  const { peer, asked } = world();
  await peer.request('traffic/read', { after: 3, max: 10 });
  await peer.request('traffic/get', { id: 'x' });
  expect(asked).toEqual([
    ['traffic/read', { after: 3, max: 10 }],
    ['traffic/get', { id: 'x' }],
  ]);
});

it('sends no hint to a hidden page, and tells the helper that nobody watches', async () => {
  const { page, hints, window, heard, asked } = world();
  hints.emit({ head: 1 });
  window.visible = false;
  page.setVisible(false);
  hints.emit({ head: 2 });
  await expect
    .poll(() => heard)
    .toEqual([
      ['traffic/changed', { head: 1 }],
      ['panel/visible', { visible: false }],
    ]);
  expect(asked).toEqual([['traffic/watch', { on: false }]]);
});

it('asks a helper that was started again for hints', () => {
  const { starts, asked } = world();
  starts.emit();
  expect(asked).toEqual([['traffic/watch', { on: true }]]);
});

it('gives the tunnels to choose from, and says when they changed', async () => {
  const { peer, store, heard } = world();
  store.accept({ kind: 'helper', state: { kind: 'running', product: '1', pid: 1 } });
  store.accept({ kind: 'tunnels', tunnels: [tunnel()] });
  expect(await peer.request('panel/tunnels', {})).toEqual([{ id: 't1', label: 'everything', state: 'connected' }]);
  expect(heard).toContainEqual(['panel/tunnelsChanged', {}]);
});

it('copies for the page and gives it every word it shows', async () => {
  const { peer, copied } = world();
  await peer.request('panel/copy', { text: '{"a":1}' });
  expect(copied).toEqual(['{"a":1}']);
  expect(await peer.request('panel/strings', {})).toEqual(inspectorText);
});

it('hears no more of the helper once the page is gone', async () => {
  const { page, hints, starts, asked, heard } = world();
  page.close();
  hints.emit({ head: 1 });
  starts.emit();
  await Promise.resolve();
  expect(asked).toEqual([]);
  expect(heard).toEqual([]);
});
