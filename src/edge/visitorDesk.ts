// From a visitor who asked for a name to one of the links that serve it: who may not come in, or finds nobody, is closed
// without a word and counted.
import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { EdgeCounters } from './edgeCounters.ts';
import type { HeldBytes } from './heldBytes.ts';
import type { Link } from './links.ts';
import type { Route, RouteRegistry } from './routeRegistry.ts';
import { splice } from './splice.ts';

export type VisitorDeskOptions = { registry: RouteRegistry; held: HeldBytes; counters: EdgeCounters; clock: Clock };

export class VisitorDesk {
  readonly #options: VisitorDeskOptions;

  constructor(options: VisitorDeskOptions) {
    this.#options = options;
  }

  /** `socket` is paused, with everything it sent still to be read; `visitor` is its address as `ip:port`. */
  receive(socket: Socket, hostname: string, visitor: string): void {
    const { registry, counters } = this.#options;
    const route = registry.find(hostname);
    if (!route) return turnAway(socket, () => (counters.noRoute += 1));
    if (!route.fresh.take()) return turnAway(socket, () => (counters.overVisitorRate += 1));
    this.#pass(socket, route, visitor);
  }

  #pass(socket: Socket, route: Route, visitor: string): void {
    const { clock, held, counters } = this.#options;
    const link = idlest(route.links);
    if (!link) return turnAway(socket, () => (counters.noRoute += 1));
    try {
      const stream = link.session.openStream({ hostname: route.hostname, visitor });
      counters.visitors += 1;
      splice(socket, stream, { clock, held, group: link.session });
    } catch (error) {
      // The link has ended, or serves as many as it can: for the visitor both are nobody at home.
      if (!(error instanceof TunnelError)) throw error;
      turnAway(socket, () => (counters[error.code === 'LIMIT' ? 'overVisitorRate' : 'noRoute'] += 1));
    }
  }
}

/** The live link with the least under way; among equals the one with the fewest visitors. */
function idlest(links: Iterable<Link>): Link | undefined {
  let best: { link: Link; bytes: number; streams: number } | undefined;
  for (const link of links) {
    const { closed, bytesInFlight: bytes, streams } = link.session;
    if (closed) continue;
    if (!best || bytes < best.bytes || (bytes === best.bytes && streams < best.streams))
      best = { link, bytes, streams };
  }
  return best?.link;
}

function turnAway(socket: Socket, count: () => void): void {
  count();
  socket.destroy();
}
