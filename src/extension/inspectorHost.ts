// What answers the inspector's page: the helper's traffic, passed on, and the few things only the window can do.
// While the panel is hidden nothing is read, and the helper is told not to send hints.
import type { InspectorHost, InspectorPage } from '../protocol/inspector.ts';
import { inspectorText } from '../protocol/inspectorText.ts';
import { Peer } from '../protocol/peer.ts';
import type { Port } from '../protocol/port.ts';
import type { HelperLink } from './helperLink.ts';
import type { Store } from './store.ts';
import type { Translate } from './translate.ts';
import { stateLabel } from './wording.ts';

/** Longest text the page may put into the clipboard. */
export const maxCopyCharacters = 16 * 1024 * 1024;

export type InspectorHostOptions = {
  helper: Pick<HelperLink, 'request' | 'onTrafficChanged' | 'onStarted'>;
  store: Store;
  visible: () => boolean;
  copy: (text: string) => PromiseLike<void>;
  now: () => number;
  t: Translate;
  log: (message: string) => void;
};

export type ServedPage = {
  setVisible(visible: boolean): void;
  select(tunnel: string | undefined): void;
  close(): void;
};

export function serveInspector(port: Port, options: InspectorHostOptions): ServedPage {
  const { helper, store, t } = options;
  const peer = new Peer<InspectorHost, InspectorPage>(port);
  peer.handle('traffic/read', (params, signal) => helper.request('traffic/read', params, signal));
  peer.handle('traffic/view', (params, signal) => helper.request('traffic/view', params, signal));
  peer.handle('traffic/window', (params, signal) => helper.request('traffic/window', params, signal));
  peer.handle('traffic/complete', (params, signal) => helper.request('traffic/complete', params, signal));
  peer.handle('traffic/get', (params, signal) => helper.request('traffic/get', params, signal));
  peer.handle('traffic/clear', (params) => helper.request('traffic/clear', params));
  peer.handle('traffic/watch', (params) => helper.request('traffic/watch', { on: params.on && options.visible() }));
  peer.handle('panel/tunnels', () =>
    store.tunnels.map(({ id, server, state }) => ({
      id,
      label: server.name,
      state: stateLabel(state, options.now(), t),
    })),
  );
  peer.handle('panel/copy', async ({ text }) => {
    await options.copy(text.slice(0, maxCopyCharacters));
    return null;
  });
  peer.handle('panel/strings', () =>
    Object.fromEntries(Object.entries(inspectorText).map(([key, text]) => [key, t(text)])),
  );
  peer.on('panel/log', ({ message }) => options.log(message));
  peer.start();

  const watch = (): void => {
    helper.request('traffic/watch', { on: options.visible() }).catch(() => {}); // The helper's state is shown elsewhere.
  };
  const tellVisible = (visible: boolean): void => {
    peer.notify('panel/visible', { visible });
    watch();
  };
  const stops = [
    helper.onTrafficChanged((hint) => {
      if (options.visible()) peer.notify('traffic/changed', hint);
    }),
    helper.onStarted(watch), // A new helper does not know who watches.
    store.onChange((what) => {
      if (what === 'tunnels') peer.notify('panel/tunnelsChanged', {});
    }),
  ];
  peer.onClose(() => stops.forEach((stop) => stop()));
  return {
    setVisible: tellVisible,
    select: (tunnel) => peer.notify('panel/select', tunnel ? { tunnel } : {}),
    close: () => peer.close(),
  };
}
