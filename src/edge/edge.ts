// The relay: one port, behind it the connectors' door, the enrolment door, and visitors who are passed on by the name
// they ask for. It never holds a key of what it relays.
import type { Socket } from 'node:net';
import type { Clock, TimerHandle } from '../core/clock.ts';
import { errorInfo, TunnelError, type ErrorCode } from '../core/errors.ts';
import type { HostPort } from '../core/hostname.ts';
import { Lifetime } from '../core/lifetime.ts';
import { doorLabels } from '../protocol/edge.ts';
import { EdgeSession } from '../wire/edgeSession.ts';
import { ConnectorDoor, type Admitted } from './connectorDoor.ts';
import type { EdgeAuthority } from './edgeAuthority.ts';
import { makeEdgeCounters } from './edgeCounters.ts';
import { defaultEdgeLimits, type EdgeLimits } from './edgeLimits.ts';
import { EnrolDoor, type EnrolDoorOptions } from './enrolDoor.ts';
import { HeldBytes } from './heldBytes.ts';
import { RouteRegistry, type Route, type RouteHolder } from './routeRegistry.ts';
import { splice } from './splice.ts';
import { Visitors, type Visitor } from './visitors.ts';

/** How often certificates of live links are looked at again, and the names in use are noted. */
export const reviewMs = 15_000;

export type EdgeOptions = {
  /** An `EdgeState`, or what an embedded edge has instead. */
  state: EdgeAuthority;
  domain: string;
  listen: HostPort;
  /** More addresses to listen at, with the same port; one that cannot be had is left out. */
  alsoListen?: readonly string[];
  limits?: Partial<EdgeLimits>;
  clock: Clock;
  log: (message: string) => void;
  /** `enrolmentHandler(state, …)`; without it there is no enrolment door. */
  enrolment?: EnrolDoorOptions['handler'];
  /** The hostname that visitors reach whatever they ask for, the doors aside. */
  anySni?: string;
};

export type RouteInfo = { hostname: string; connector: string; instance: string; sinceMs: number };

const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ROUTE_BUSY',
  'ROUTE_DENIED',
  'CERTIFICATE_INVALID',
  'LIMIT',
  'USAGE',
  'CLOSED',
]);

type Link = RouteHolder & { session: EdgeSession; expiresMs: number };

export class Edge {
  readonly counters = makeEdgeCounters();
  readonly #options: EdgeOptions;
  readonly #lifetime = new Lifetime();
  readonly #links = new Set<Link>();
  readonly #visitors: Visitors;
  readonly #registry: RouteRegistry;
  readonly #connectorDoor: ConnectorDoor;
  readonly #enrolDoor: EnrolDoor | undefined;
  readonly #held: HeldBytes;
  #port = 0;
  #review: TimerHandle | undefined;

  /** Throws `PORT_IN_USE`, or `USAGE` for an address that cannot be listened at. */
  static async start(options: EdgeOptions): Promise<Edge> {
    const edge = new Edge(options);
    try {
      await edge.#start();
    } catch (error) {
      await edge.close();
      throw error;
    }
    return edge;
  }

  private constructor(options: EdgeOptions) {
    const { state, clock, domain, enrolment } = options;
    const limits = { ...defaultEdgeLimits, ...options.limits };
    const { counters } = this;
    this.#options = options;
    this.#visitors = new Visitors({ limits, clock, counters, onVisitor: (visitor) => this.#receive(visitor) });
    this.#registry = new RouteRegistry({ domain, authority: state, limits, clock });
    this.#connectorDoor = new ConnectorDoor({
      authority: state,
      clock,
      handshakeMs: limits.handshakeMs,
      mayEnter: (connector) =>
        this.#linksOf(connector).length >= limits.maxSessionsPerConnector ? 'too-many' : undefined,
      onConnector: (admitted) => this.#welcome(admitted),
      onRefused: (refusal, connector) => {
        counters.connectorsRefused += 1;
        options.log(`connector ${connector ?? '(unknown)'} refused: ${refusal}`);
      },
    });
    this.#enrolDoor = enrolment
      ? new EnrolDoor({ authority: state, clock, handshakeMs: limits.handshakeMs, handler: enrolment })
      : undefined;
    this.#held = new HeldBytes({
      clock,
      maxPerGroup: limits.maxHeldBytesPerSession,
      max: limits.maxHeldBytes,
      onCut: () => (counters.overHeldBytes += 1),
    });
  }

  get port(): number {
    return this.#port;
  }

  routes(): RouteInfo[] {
    return this.#registry.list().map(({ hostname, instance, sinceMs, holder }) => {
      return { hostname, connector: holder.connector, instance, sinceMs };
    });
  }

  /** Ends every link and visitor. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  async #start(): Promise<void> {
    const { state, listen, alsoListen, log } = this.#options;
    this.#lifetime.add(this.#visitors);
    this.#lifetime.defer(async () => void (await Promise.all(Array.from(this.#links, (link) => link.session.close()))));
    this.#lifetime.add(state.watch((error) => log(`the edge's state cannot be read: ${errorInfo(error).message}`)));
    this.#lifetime.defer(state.onRevoked((connector) => this.#end(this.#linksOf(connector), 'revoked')));
    this.#lifetime.defer(() => this.#review?.cancel());
    this.#reviewLater();
    this.#port = await this.#visitors.listen(listen);
    for (const host of alsoListen ?? []) {
      // Without it everything works by the first address.
      await this.#visitors.listen({ host, port: this.#port }).catch(() => {});
    }
  }

  #receive({ socket, address, serverName }: Visitor): void {
    const { domain, anySni } = this.#options;
    if (serverName === `${doorLabels.connect}.${domain}`) return this.#connectorDoor.accept(socket);
    if (serverName === `${doorLabels.enroll}.${domain}` && this.#enrolDoor) return this.#enrolDoor.accept(socket);
    const route = this.#registry.find(anySni ?? serverName ?? '');
    if (!route) {
      this.counters.noRoute += 1;
      socket.destroy();
      return;
    }
    this.#pass(socket, route, address);
  }

  #pass(socket: Socket, route: Route, visitor: string): void {
    const { session } = route.holder;
    if (!route.fresh.take()) {
      this.counters.overVisitorRate += 1;
      socket.destroy();
      return;
    }
    try {
      const stream = session.openStream({ hostname: route.hostname, visitor });
      this.counters.visitors += 1;
      splice(socket, stream, { clock: this.#options.clock, held: this.#held, group: session });
    } catch (error) {
      // The link has ended, or serves as many as it can: for the visitor both are nobody at home.
      if (!(error instanceof TunnelError)) throw error;
      this.counters[error.code === 'LIMIT' ? 'overVisitorRate' : 'noRoute'] += 1;
      socket.destroy();
    }
  }

  #welcome({ socket, connector, expiresMs }: Admitted): void {
    const { clock, log } = this.#options;
    const session = new EdgeSession(socket, { clock });
    const link: Link = { connector, session, expiresMs };
    this.#links.add(link);
    session.onClose(() => {
      this.#links.delete(link);
      this.#registry.drop(link);
    });
    session.control.handle('route/claim', async (wanted) => {
      const { hostname } = await this.#registry.claim(link, wanted).catch((error: unknown) => {
        throw this.#shareable(error);
      });
      log(`${hostname} is served by connector ${connector}`);
      return { hostname, port: this.#port };
    });
    session.control.handle('route/release', (wanted) => {
      this.#registry.release(link, wanted);
      return null;
    });
    session.control.start();
  }

  /** A refusal as it is; of a fault of the edge's own, which may name its files, the connector hears only that. */
  #shareable(error: unknown): unknown {
    if (error instanceof TunnelError && refusals.has(error.code)) return error;
    this.#options.log(`a name could not be claimed: ${errorInfo(error).message}`);
    return new TunnelError('INTERNAL', 'the edge could not note the name: its log says why', { retryable: true });
  }

  #linksOf(connector: string): Link[] {
    return [...this.#links].filter((link) => link.connector === connector);
  }

  #end(links: Link[], why: string): void {
    for (const { session, connector } of links) {
      this.#options.log(`connector ${connector} was cut off: ${why}`);
      void session.close();
    }
  }

  #reviewLater(): void {
    const { clock, state, log } = this.#options;
    this.#review = clock.after(reviewMs, () => {
      const now = clock.now();
      this.#end(
        [...this.#links].filter((link) => state.isRevoked(link.connector)),
        'revoked',
      );
      this.#end(
        [...this.#links].filter((link) => link.expiresMs <= now),
        'its certificate has expired',
      );
      state.touchLabels(this.#registry.list().map((route) => route.label)).catch((error: unknown) => {
        log(`the names in use could not be noted: ${errorInfo(error).message}`);
      });
      if (!this.#lifetime.closed) this.#reviewLater();
    });
  }
}
