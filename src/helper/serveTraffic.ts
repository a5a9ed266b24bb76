// The part of the contract with a driver that is about traffic: rows by cursor or by window, one exchange in full,
// hints for who watches.
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { Closable } from '../core/lifetime.ts';
import { completeFilter } from '../mcp/filter/completeFilter.ts';
import { maxFilterLength } from '../mcp/filter/filter.ts';
import { rowFilter } from '../mcp/filter/matchFilter.ts';
import { parseFilter } from '../mcp/filter/parseFilter.ts';
import { seenNames } from '../traffic/seenNames.ts';
import { TrafficView } from '../traffic/trafficView.ts';
import type { Helper } from './helper.ts';
import { Hints, hintIntervalMs } from './hints.ts';
import type { Driver } from './serveDriver.ts';

/** Views of one driver; the one that was not asked for longest makes room. */
export const maxViews = 4;

/** Names of servers that are remembered; then it begins anew. */
const maxServerNames = 1_000;

/** `ready` throws until the driver has said hello. */
export function serveTraffic(peer: Driver, ready: () => Helper, clock: Clock): Closable {
  const views = new Map<number, TrafficView>();
  const names = new Map<string, string | undefined>();
  let nextView = clock.now(); // Not the number of a view of an earlier helper.
  let hints: Hints | undefined;
  let unsubscribe: (() => void) | undefined;

  // Asked for with every row; a tunnel keeps its name, and is there before its rows are.
  const serverName = (tunnel: string): string | undefined => {
    if (!names.has(tunnel)) {
      if (names.size >= maxServerNames) names.clear();
      const found = ready()
        .tunnels()
        .find(({ id }) => id === tunnel);
      names.set(tunnel, found?.server.name);
    }
    return names.get(tunnel);
  };
  const forget = (id: number): void => {
    views.get(id)?.close();
    views.delete(id);
  };
  const unwatch = (): void => {
    unsubscribe?.();
    hints?.close(); // One that waits does not go out any more.
    hints = undefined;
  };

  peer.handle('traffic/read', (params) => ready().traffic.read(params));
  peer.handle('traffic/get', ({ id }) => ready().traffic.detail(id));
  peer.handle('traffic/clear', ({ tunnel }) => (ready().traffic.clear(tunnel), null));
  peer.handle('traffic/watch', ({ on }) => {
    unwatch();
    if (!on) return null;
    const { traffic } = ready();
    const watching = new Hints(clock, hintIntervalMs, () => peer.notify('traffic/changed', { head: traffic.head }));
    hints = watching;
    unsubscribe = traffic.onChange(() => watching.changed());
    return null;
  });
  peer.handle('traffic/view', ({ filter, tunnel }) => {
    const parsed = parseFilter(filter);
    if (parsed.kind === 'problem') return parsed;
    const { traffic: log } = ready();
    const id = nextView++;
    const progressed = (): void => hints?.changed();
    views.set(id, new TrafficView({ log, filter: rowFilter(parsed, serverName), tunnel, progressed }));
    if (views.size > maxViews) forget(views.keys().next().value!);
    return { kind: 'view', view: id };
  });
  peer.handle('traffic/window', ({ view: id, from, count, selected }) => {
    const view = views.get(id);
    if (!view) throw new TunnelError('NOT_FOUND', 'this view is no longer held');
    views.delete(id); // The newest stands last.
    views.set(id, view);
    return view.window({ from, count, selected });
  });
  peer.handle('traffic/complete', ({ text, caret }) =>
    completeFilter(text.slice(0, maxFilterLength), Math.min(caret, maxFilterLength), (key) =>
      seenNames(ready().traffic, key, serverName),
    ),
  );

  return {
    close: async () => {
      unwatch();
      for (const id of views.keys()) forget(id);
    },
  };
}
