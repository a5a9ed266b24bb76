// From a visitor who asked for a name to one of the links that serve it: who may not come in, or finds nobody, is closed
// without a word and counted.
import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import { formatHostPort, type HostPort } from '../core/hostname.ts';
import { admits } from './admits.ts';
import type { Asns } from './asnBook.ts';
import type { EdgeCounters } from './edgeCounters.ts';
import type { EdgeLimits } from './edgeLimits.ts';
import type { HeldBytes } from './heldBytes.ts';
import type { Link } from './links.ts';
import { OpenVisits } from './openVisits.ts';
import type { Route, RouteRegistry } from './routeRegistry.ts';
import { splice } from './splice.ts';

export type VisitorDeskOptions = {
  registry: RouteRegistry;
  limits: EdgeLimits;
  held: HeldBytes;
  counters: EdgeCounters;
  clock: Clock;
  asns?: Asns;
};

export class VisitorDesk {
  readonly #options: VisitorDeskOptions;
  readonly #open: OpenVisits;

  constructor(options: VisitorDeskOptions) {
    this.#options = options;
    this.#open = new OpenVisits(options.limits);
  }

  /** `socket` is paused, with everything it sent still to be read. */
  receive(socket: Socket, hostname: string, from: HostPort): void {
    const { registry, asns } = this.#options;
    const route = registry.find(hostname);
    if (!route) return this.#turnAway(socket, 'noRoute');
    // First of all: who may not come in must not use up what others are let in by.
    if (!admits(route.admission, from.host, asns)) return this.#turnAway(socket, 'notAdmitted');
    if (!this.#open.hasRoom(route)) return this.#turnAway(socket, 'overVisitorCap');
    if (!route.fresh.take()) return this.#turnAway(socket, 'overVisitorRate');
    this.#pass(socket, route, from);
  }

  /** Visitors of a name that are inside now. */
  countOf(hostname: string): number {
    return this.#open.countOf(hostname);
  }

  figures(): ReturnType<OpenVisits['figures']> {
    return this.#open.figures();
  }

  /** Whom the route lets in may have changed: who is inside and may be so no longer is cut off. */
  judgeAgain(route: Route): void {
    const { asns, counters } = this.#options;
    counters.notAdmitted += this.#open.judge(route, (address) => admits(route.admission, address, asns));
  }

  #pass(socket: Socket, route: Route, from: HostPort): void {
    const { clock, held, counters, limits } = this.#options;
    const link = idlest(route.links);
    if (!link) return this.#turnAway(socket, 'noRoute');
    try {
      const stream = link.session.openStream({ hostname: route.hostname, visitor: formatHostPort(from) });
      counters.visitors += 1;
      this.#open.add(route, socket, from.host);
      splice(socket, stream, { clock, held, tenant: link.connector, limits, counters });
    } catch (error) {
      // The link has ended, or serves as many as it can: for the visitor both are nobody at home.
      if (!(error instanceof TunnelError)) throw error;
      this.#turnAway(socket, error.code === 'LIMIT' ? 'overVisitorRate' : 'noRoute');
    }
  }

  #turnAway(socket: Socket, counter: keyof EdgeCounters): void {
    this.#options.counters[counter] += 1;
    socket.destroy();
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
