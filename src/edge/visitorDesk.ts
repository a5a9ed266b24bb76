// From a visitor who asked for a name to one of the links that serve it: who may not come in, or finds nobody, is closed
// without a word and counted.
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import { formatHostPort, type HostPort } from '../core/hostname.ts';
import { admits } from './admits.ts';
import type { Asns } from './asnBook.ts';
import type { EdgeCounters } from './edgeCounters.ts';
import type { EdgeLimits } from './edgeLimits.ts';
import type { Elsewhere, FarRoute, VisitorEnd } from './elsewhere.ts';
import { FreshVisitors } from './freshVisitors.ts';
import type { HeldBytes } from './heldBytes.ts';
import type { Link } from './links.ts';
import { OpenVisits } from './openVisits.ts';
import { asksForProof } from './peekedHello.ts';
import type { Route, RouteRegistry } from './routeRegistry.ts';
import { splice } from './splice.ts';

export type VisitorDeskOptions = {
  registry: RouteRegistry;
  limits: EdgeLimits;
  held: HeldBytes;
  counters: EdgeCounters;
  clock: Clock;
  asns?: Asns;
  /** Where the edge has other nodes. */
  elsewhere?: Elsewhere;
};

export class VisitorDesk {
  readonly #options: VisitorDeskOptions;
  readonly #open: OpenVisits;
  readonly #challenges = new WeakMap<Route | FarRoute, FreshVisitors>();

  constructor(options: VisitorDeskOptions) {
    this.#options = options;
    this.#open = new OpenVisits(options.limits);
  }

  /** `socket` is paused, with everything it sent still to be read. */
  receive(socket: VisitorEnd, hostname: string, from: HostPort, isChallenge: boolean): void {
    const { registry, elsewhere } = this.#options;
    const route = registry.find(hostname);
    if (route) return this.#receiveFor(route, socket, from, isChallenge);
    const far = elsewhere?.find(hostname);
    if (!far || !elsewhere) return this.#turnAway(socket, 'noRoute');
    if (this.#mayEnter(socket, far, from, isChallenge)) void this.#handOn(socket, far, elsewhere, from);
  }

  /** One that another node hands on: it is for a route of this node, or for nobody. */
  receiveHandedOn(visitor: VisitorEnd, hostname: string, from: HostPort): void {
    const { registry, limits, clock, asns } = this.#options;
    const route = registry.find(hostname);
    if (!route) return this.#turnAway(visitor, 'noRoute');
    if (!route.admission?.challenges || admits(route.admission, from.host, asns)) {
      return this.#receiveFor(route, visitor, from, false);
    }
    // The other node let it in by what the registry told it; what it came for says nobody but its own hello.
    void asksForProof(visitor, { limits, clock }).then((proven) => {
      const still = registry.find(hostname);
      if (still) this.#receiveFor(still, visitor, from, proven);
      else this.#turnAway(visitor, 'noRoute');
    });
  }

  /** The connector may serve nobody any more: who was handed on goes as well, whatever the other node knows. */
  end(connector: string): void {
    this.#open.end(connector);
  }

  #receiveFor(route: Route, visitor: VisitorEnd, from: HostPort, isChallenge: boolean): void {
    if (this.#mayEnter(visitor, route, from, isChallenge)) this.#pass(visitor, route, from);
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

  #mayEnter(socket: VisitorEnd, route: Route | FarRoute, from: HostPort, isChallenge: boolean): boolean {
    // First of all: who may not come in must not use up what others are let in by.
    const isKnown = admits(route.admission, from.host, this.#options.asns);
    if (!isKnown && !(isChallenge && this.#maySeeProof(route))) this.#turnAway(socket, 'notAdmitted');
    else if (!this.#open.hasRoom(route)) this.#turnAway(socket, 'overVisitorCap');
    else if (!route.fresh.take()) this.#turnAway(socket, 'overVisitorRate');
    else return true;
    return false;
  }

  /** At a rate of its own, so that nobody gets past the addresses in numbers by saying so. */
  #maySeeProof(route: Route | FarRoute): boolean {
    if (!route.admission?.challenges) return false;
    const { clock, limits } = this.#options;
    const current = () => ({ perSecond: limits.challengesPerSecond, burst: limits.challengeBurst });
    const rate = this.#challenges.get(route) ?? new FreshVisitors({ clock, rate: current });
    this.#challenges.set(route, rate);
    return rate.take();
  }

  async #handOn(socket: VisitorEnd, route: FarRoute, elsewhere: Elsewhere, from: HostPort): Promise<void> {
    const { clock, held, counters, limits } = this.#options;
    this.#open.add(route, socket, from.host);
    const stream = await elsewhere.open(socket, route, formatHostPort(from));
    if (!stream) return this.#turnAway(socket, 'noRoute');
    counters.visitors += 1;
    counters.handedOn += 1;
    splice(socket, stream, { clock, held, tenant: route.connector, limits, counters });
    stream.resume();
  }

  #pass(socket: VisitorEnd, route: Route, from: HostPort): void {
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

  #turnAway(socket: VisitorEnd, counter: keyof EdgeCounters): void {
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
