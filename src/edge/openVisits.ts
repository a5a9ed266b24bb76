// Who is inside now, by route and by connector: so that no route takes all of an edge, and that a change of whom a route
// lets in holds for those who came before it, too.
import type { EdgeLimits } from './edgeLimits.ts';
import type { VisitorEnd } from './elsewhere.ts';
import type { Route } from './routeRegistry.ts';

/** A route of this node's or of another. */
type Wanted = Pick<Route, 'hostname' | 'connector'>;

/** `address` is without a port. */
type Visit = { socket: VisitorEnd; connector: string; address: string };

export class OpenVisits {
  readonly #limits: Pick<EdgeLimits, 'maxVisitorsPerRoute' | 'maxVisitorsPerConnector'>;
  readonly #ofRoute = new Map<string, Set<Visit>>();
  readonly #ofConnector = new Map<string, number>();
  /** Of visitors that have left. */
  readonly #relayed = { bytesToConnectors: 0, bytesToVisitors: 0 };

  constructor(limits: Pick<EdgeLimits, 'maxVisitorsPerRoute' | 'maxVisitorsPerConnector'>) {
    this.#limits = limits;
  }

  hasRoom({ hostname, connector }: Wanted): boolean {
    const { maxVisitorsPerRoute, maxVisitorsPerConnector } = this.#limits;
    const here = this.#ofRoute.get(hostname)?.size ?? 0;
    return here < maxVisitorsPerRoute && (this.#ofConnector.get(connector) ?? 0) < maxVisitorsPerConnector;
  }

  countOf(hostname: string): number {
    return this.#ofRoute.get(hostname)?.size ?? 0;
  }

  /** Who is inside now, and what was relayed for them and for those who have left. */
  figures(): { visitors: number; bytesToConnectors: number; bytesToVisitors: number } {
    const figures = { visitors: 0, ...this.#relayed };
    for (const visits of this.#ofRoute.values()) {
      figures.visitors += visits.size;
      for (const { socket } of visits) {
        figures.bytesToConnectors += socket.bytesRead;
        figures.bytesToVisitors += socket.bytesWritten;
      }
    }
    return figures;
  }

  /** Until its socket closes. */
  add({ hostname, connector }: Wanted, socket: VisitorEnd, address: string): void {
    const visit = { socket, connector, address };
    const visits = this.#ofRoute.get(hostname) ?? new Set();
    this.#ofRoute.set(hostname, visits.add(visit));
    this.#ofConnector.set(connector, (this.#ofConnector.get(connector) ?? 0) + 1);
    socket.once('close', () => {
      this.#relayed.bytesToConnectors += socket.bytesRead;
      this.#relayed.bytesToVisitors += socket.bytesWritten;
      visits.delete(visit);
      if (visits.size === 0 && this.#ofRoute.get(hostname) === visits) this.#ofRoute.delete(hostname);
      const left = (this.#ofConnector.get(connector) ?? 1) - 1;
      if (left === 0) this.#ofConnector.delete(connector);
      else this.#ofConnector.set(connector, left);
    });
  }

  /** Cuts off who came for any name of this connector's. */
  end(connector: string): void {
    for (const visits of this.#ofRoute.values()) {
      for (const visit of visits) if (visit.connector === connector) visit.socket.destroy();
    }
  }

  /** Cuts off those that may not stay; says how many. */
  judge({ hostname }: Wanted, mayStay: (address: string) => boolean): number {
    const leaving = [...(this.#ofRoute.get(hostname) ?? [])].filter(
      ({ socket, address }) => !socket.destroyed && !mayStay(address),
    );
    for (const { socket } of leaving) socket.destroy();
    return leaving.length;
  }
}
