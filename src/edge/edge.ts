// The relay: one port, behind it the connectors' door, the enrolment door, and visitors who are passed on by the name
// they ask for. It never holds a key of what it relays.
import type { Socket } from 'node:net';
import type { Clock, TimerHandle } from '../core/clock.ts';
import { errorInfo } from '../core/errors.ts';
import type { HostPort } from '../core/hostname.ts';
import { Lifetime } from '../core/lifetime.ts';
import type { Network } from '../core/network.ts';
import { doorLabels, type Framing } from '../protocol/edge.ts';
import { openEdgeLink } from '../wire/framings.ts';
import type { Asns } from './asnBook.ts';
import { AtDoors } from './atDoors.ts';
import { ClaimRates } from './claimRates.ts';
import { ConnectorDoor, type Admitted } from './connectorDoor.ts';
import { answerConnector } from './connectorRequests.ts';
import type { EdgeAuthority } from './edgeAuthority.ts';
import type { EdgeCluster } from './edgeCluster.ts';
import { makeEdgeCounters } from './edgeCounters.ts';
import { drain, type DrainPlan } from './edgeDrain.ts';
import type { EdgeLog } from './edgeLog.ts';
import { defaultEdgeLimits, type EdgeLimits } from './edgeLimits.ts';
import { EnrolDoor, type EnrolDoorOptions } from './enrolDoor.ts';
import { HeldBytes } from './heldBytes.ts';
import { Links, type Link } from './links.ts';
import { RouteRegistry, type Route } from './routeRegistry.ts';
import { VisitorDesk } from './visitorDesk.ts';
import { Visitors, type Visitor } from './visitors.ts';

/** How often certificates of live links are looked at again, and the names in use are noted. */
const usualReviewMs = 15_000;

export type EdgeOptions = {
  /** An `EdgeState`, or what an embedded edge has instead. */
  state: EdgeAuthority;
  domain: string;
  listen: HostPort;
  /** More addresses to listen at, with the same port; one that cannot be had is left out. */
  alsoListen?: readonly string[];
  limits?: Partial<EdgeLimits>;
  /** Load balancers in front, which say with a PROXY header whose a connection is. */
  proxies?: readonly Network[];
  /** What tells autonomous systems apart; without it claims that name some are refused. */
  asns?: Asns;
  clock: Clock;
  log: EdgeLog;
  /** `enrolmentHandler(state, …)`; without it there is no enrolment door. */
  enrolment?: EnrolDoorOptions['handler'];
  /** The hostname that visitors reach whatever they ask for, the doors aside. */
  anySni?: string;
  /** How links may be framed, the preferred one first; absent means every way. */
  framings?: readonly Framing[];
  /** The other nodes, where it is one of several. */
  cluster?: EdgeCluster;
  /** The usual is {@link usualReviewMs}. */
  reviewMs?: number;
};

/** `visitors` are those that are inside now. */
export type RouteInfo = Pick<Route, 'hostname' | 'connector' | 'instance' | 'sinceMs'> & {
  links: number;
  visitors: number;
};

export class Edge {
  readonly counters = makeEdgeCounters();
  readonly #options: EdgeOptions;
  /** Read anew whenever one is asked for, but for `handshakeMs`. */
  readonly #limits: EdgeLimits;
  readonly #lifetime = new Lifetime();
  readonly #links: Links;
  readonly #visitors: Visitors;
  readonly #registry: RouteRegistry;
  readonly #atDoors: AtDoors;
  readonly #connectorDoor: ConnectorDoor;
  readonly #enrolDoor: EnrolDoor | undefined;
  readonly #desk: VisitorDesk;
  readonly #held: HeldBytes;
  readonly #claimRates: ClaimRates;
  #port = 0;
  #isDraining = false;
  /** What connectors were told of the end, once they were. */
  #drainSaid: { reason: string; withinMs: number } | undefined;
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
    const { state, clock, domain, enrolment, framings } = options;
    const limits = { ...defaultEdgeLimits, ...options.limits };
    const { counters } = this;
    this.#options = options;
    this.#limits = limits;
    this.#links = new Links(options.log, clock);
    this.#visitors = new Visitors({
      limits,
      clock,
      counters,
      proxies: options.proxies ?? [],
      onVisitor: (visitor) => this.#receive(visitor),
    });
    this.#registry = new RouteRegistry({
      domain,
      authority: state,
      limits,
      clock,
      tellsAsns: options.asns !== undefined,
      ...(options.cluster ? { sharing: options.cluster.sharing } : {}),
    });
    this.#claimRates = new ClaimRates({ limits, clock, onRefused: () => (counters.overClaimRate += 1) });
    this.#atDoors = new AtDoors({ limits, onCut: () => (counters.overAtDoors += 1) });
    this.#connectorDoor = new ConnectorDoor({
      authority: state,
      clock,
      handshakeMs: limits.handshakeMs,
      ...(framings ? { framings } : {}),
      mayEnter: (connector) =>
        this.#links.of(connector).length >= limits.maxSessionsPerConnector ? 'too-many' : undefined,
      onConnector: (admitted) => this.#welcome(admitted),
      onRefused: (refusal, connector) => {
        counters.connectorsRefused += 1;
        options.log.warn('connector-refused', `connector ${connector ?? '(unknown)'} refused: ${refusal}`, {
          connector,
          refusal,
        });
      },
    });
    this.#enrolDoor = enrolment
      ? new EnrolDoor({ authority: state, clock, handshakeMs: limits.handshakeMs, handler: enrolment })
      : undefined;
    this.#held = new HeldBytes({ limits, clock, onCut: () => (counters.overHeldBytes += 1) });
    const elsewhere = options.cluster?.attach({
      limits,
      onNode: (socket) => this.#atDoors.admitted(socket),
      onVisitor: (...visitor) => this.#desk.receiveHandedOn(...visitor),
    });
    this.#desk = new VisitorDesk({
      registry: this.#registry,
      limits,
      held: this.#held,
      counters,
      clock,
      ...(options.asns ? { asns: options.asns } : {}),
      ...(elsewhere ? { elsewhere } : {}),
    });
  }

  get port(): number {
    return this.#port;
  }

  routes(): RouteInfo[] {
    return this.#registry.list().map(({ hostname, connector, instance, sinceMs, links }) => {
      return { hostname, connector, instance, sinceMs, links: links.size, visitors: this.#desk.countOf(hostname) };
    });
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Whether it takes visitors, and will go on to. */
  get isOpen(): boolean {
    return this.#port !== 0 && !this.#isDraining && !this.#lifetime.closed;
  }

  /** What it holds now. */
  figures() {
    const links = this.#links.all();
    return {
      counters: this.counters,
      links: links.length,
      connectors: new Set(links.map((link) => link.connector)).size,
      routes: this.#registry.list().length,
      heldBytes: this.#held.bytes,
      ...this.#desk.figures(),
      isDraining: this.#isDraining,
    };
  }

  /** From now on, those that are left out as usual; what is served already goes on. `handshakeMs` stays as it was. */
  setLimits(limits: Partial<EdgeLimits>): void {
    Object.assign(this.#limits, defaultEdgeLimits, limits);
  }

  /** Ends in order: resolves, with how many visitors are left, when it is time to {@link close}. */
  drain(plan: DrainPlan): Promise<number> {
    this.#isDraining = true;
    const edge = {
      stopListening: () => this.#visitors.stopListening(),
      tell: (said: { reason: string; withinMs: number }) => {
        this.#drainSaid = said;
        this.#links.all().forEach(({ session }) => session.control.notify('drain', said));
      },
      busy: () => this.#desk.figures().visitors,
    };
    return drain(edge, plan, this.#options);
  }

  /** Ends every link and visitor. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  async #start(): Promise<void> {
    const { state, listen, alsoListen, log, cluster } = this.#options;
    this.#lifetime.add(this.#visitors);
    this.#lifetime.add(this.#links);
    this.#lifetime.add(
      state.watch((error) =>
        log.error('state-unreadable', `the edge's state cannot be read: ${errorInfo(error).message}`),
      ),
    );
    this.#lifetime.defer(
      state.onRevoked((connector) => {
        this.#links.end(this.#links.of(connector), 'revoked');
        this.#desk.end(connector);
      }),
    );
    this.#lifetime.defer(state.onMoved((label) => this.#disown(label)));
    this.#lifetime.defer(cluster?.sharing.onLost((lost) => this.#registry.lose(lost)) ?? (() => {}));
    this.#lifetime.defer(() => this.#review?.cancel());
    this.#reviewLater();
    this.#port = await this.#visitors.listen(listen);
    for (const host of alsoListen ?? []) {
      // Without it everything works by the first address.
      await this.#visitors.listen({ host, port: this.#port }).catch(() => {});
    }
    if (cluster) this.#lifetime.add(await cluster.announce(this.#port));
  }

  #receive({ socket, from, serverName, isChallenge }: Visitor): void {
    const { anySni } = this.#options;
    const door = this.#doorOf(serverName);
    if (!door) return this.#desk.receive(socket, anySni ?? serverName ?? '', from, isChallenge);
    this.#atDoors.add(socket);
    door(socket);
  }

  #doorOf(serverName: string | undefined): ((socket: Socket) => void) | undefined {
    const { domain, cluster } = this.#options;
    const enrolDoor = this.#enrolDoor;
    if (serverName === `${doorLabels.connect}.${domain}`) return (socket) => this.#connectorDoor.accept(socket);
    if (enrolDoor && serverName === `${doorLabels.enroll}.${domain}`) return (socket) => enrolDoor.accept(socket);
    if (cluster && serverName === cluster.nodeDoor) return (socket) => cluster.acceptNode(socket);
    return undefined;
  }

  #welcome({ socket, connector, expiresMs }: Admitted): void {
    const { state, cluster, clock, log } = this.#options;
    this.#atDoors.admitted(socket);
    const session = openEdgeLink(socket, { clock });
    const link: Link = { connector, session, expiresMs };
    this.#links.add(link);
    session.onClose(() => this.#registry.drop(link));
    answerConnector(link, {
      state,
      registry: this.#registry,
      rates: this.#claimRates,
      onServed: (route) => this.#desk.judgeAgain(route),
      port: () => this.#port,
      nodes: () => cluster?.nodes() ?? [],
      clock,
      log,
    });
    session.control.start();
    // Its handshake was under way when the others were told.
    if (this.#drainSaid) session.control.notify('drain', this.#drainSaid);
  }

  /** Whoever runs the edge gave the name away, or took it back: who serves it hears so and is cut off. */
  #disown(label: string): void {
    const route = this.#registry.disown(label);
    if (!route) return;
    const { hostname, connector, links } = route;
    this.#options.log.warn('route-lost', `connector ${connector} lost ${hostname}`, { connector, hostname });
    const message = `whoever runs the edge took the name ${label} from this machine: choose another name, or ask them`;
    this.#links.lose(links, label, { code: 'ROUTE_DENIED', message, retryable: false });
  }

  #reviewLater(): void {
    const { clock, state, log, reviewMs = usualReviewMs } = this.#options;
    this.#review = clock.after(reviewMs, () => {
      const now = clock.now();
      const links = this.#links.all();
      this.#links.end(
        links.filter((link) => state.isRevoked(link.connector)),
        'revoked',
      );
      this.#links.end(
        links.filter((link) => Math.max(link.expiresMs, state.certifiedUntilMs(link.connector)) <= now),
        'its certificate has expired',
      );
      state.touchLabels(this.#registry.list().map((route) => route.label)).catch((error: unknown) => {
        log.error('state-unwritable', `the names in use could not be noted: ${errorInfo(error).message}`);
      });
      if (!this.#lifetime.closed) this.#reviewLater();
    });
  }
}
