// One tunnel, from the carrier that brings agents to the server they came for. The whole graph is built here, and
// whatever fails on the way leaves nothing open.
import type { AuditLog } from '../audit/auditLog.ts';
import type { Carrier, CarrierState, MayDial, OpenCarrier } from '../carriers/carrier.ts';
import type { Clock } from '../core/clock.ts';
import { errorInfo, TunnelError } from '../core/errors.ts';
import { Emitter } from '../core/emitter.ts';
import { Lifetime } from '../core/lifetime.ts';
import type { ServerTools } from '../gateway/askTools.ts';
import { Gateway } from '../gateway/gateway.ts';
import type { HeldCalls } from '../gateway/heldCalls.ts';
import type { ToolAnnotations } from '../gateway/toolCatalogue.ts';
import type { GrantStore } from '../identity/grants.ts';
import type { IssuerKeys } from '../identity/jwt/issuerKeys.ts';
import type { OAuthDoor } from '../identity/oauth/oauthDoor.ts';
import type { PairingDesk } from '../identity/oauth/pairingDesk.ts';
import type { Throttle } from '../identity/throttle.ts';
import type { RateLimiter } from '../policy/limits.ts';
import type { PolicyStore } from '../policy/policyStore.ts';
import type { ServerTransport } from '../core/server.ts';
import type { Destination, TunnelInfo, TunnelState } from '../protocol/control.ts';
import type { TrafficLog } from '../traffic/trafficLog.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { AuditNotes } from './auditNotes.ts';
import { admissionOf } from './letIn.ts';
import type { ServerRestarts } from './serverRestarts.ts';
import type { BookEntry } from './tunnelBook.ts';

export type RunningTunnelOptions = {
  id: string;
  server: { id: string; name: string; transport: ServerTransport };
  destination: Destination;
  entry: BookEntry;
  /** Port asked for by a person. */
  port?: number;
  /** Whose addresses may connect; none means anybody's. */
  allowFrom: readonly string[];
  /** For the next time. */
  keepAllowFrom: (allowFrom: readonly string[]) => Promise<void>;
  notes: AuditNotes;
  carrier: Carrier;
  upstream: Upstream;
  /** Of a server that is run here. */
  restarts?: ServerRestarts;
  auth: 'tunnel' | 'upstream';
  issuerKeys: IssuerKeys;
  clock: Clock;
  grants: GrantStore;
  throttle: Throttle;
  policy: PolicyStore;
  limiter: RateLimiter;
  audit: AuditLog;
  traffic: TrafficLog;
  holds: HeldCalls;
  mayDial: MayDial;
  log: (message: string) => void;
};

export class RunningTunnel {
  readonly id: string;
  readonly server: RunningTunnelOptions['server'];
  readonly destination: Destination;
  readonly entry: BookEntry;
  readonly #options: RunningTunnelOptions;
  readonly #lifetime = new Lifetime();
  readonly #gateway: Gateway;
  readonly #changed = new Emitter<void>();
  readonly #openedMs: number;
  #carrier: OpenCarrier | undefined;
  #door: OAuthDoor | undefined;
  #state: TunnelState = { kind: 'starting', step: 'starting the server' };
  #allowFrom: readonly string[];
  #asking: Promise<ServerTools> | undefined;
  /** Why it was ended before it was open. */
  #endedBy: unknown;

  constructor(options: RunningTunnelOptions) {
    this.id = options.id;
    this.server = options.server;
    this.destination = options.destination;
    this.entry = options.entry;
    this.#options = options;
    this.#openedMs = options.clock.now();
    this.#allowFrom = options.allowFrom;
    admissionOf(options.allowFrom, options.destination); // Told before anything is started.
    const { upstream, auth, issuerKeys, grants, throttle, policy, limiter, audit, traffic, holds, clock, log } =
      options;
    this.#gateway = new Gateway({
      tunnel: options.id,
      serverId: options.server.id,
      upstream,
      auth,
      issuerKeys,
      grants,
      throttle,
      policy,
      limiter,
      audit,
      traffic,
      holds,
      clock,
      log,
    });
  }

  /** Whose an agent's `Authorization` is. */
  get auth(): 'tunnel' | 'upstream' {
    return this.#options.auth;
  }

  /** From now on agents may ask to be let in; the door is closed with the tunnel. */
  letInBy(door: OAuthDoor): void {
    this.#door = this.#lifetime.add(door);
    this.#lifetime.defer(door.desk.onChange(() => this.#changed.emit()));
    if (this.#carrier) door.announce(publicUrls(this.#carrier));
    this.#gateway.letInBy(door);
    this.#changed.emit();
  }

  readonly onChange = this.#changed.on;

  /** Resolves when agents can reach the server; rejects with nothing left open. */
  async start(signal: AbortSignal): Promise<void> {
    const { upstream, restarts, carrier, entry, log, mayDial } = this.#options;
    const open = AbortSignal.any([signal, this.#lifetime.signal]);
    try {
      this.#lifetime.add(upstream);
      this.#lifetime.add(this.#gateway).start();
      await upstream.check(open);
      if (restarts) await this.#lifetime.add(restarts).start();
      this.#become({ kind: 'starting', step: 'opening the way in' });
      const port = this.#options.port ?? entry.port;
      this.#carrier = this.#lifetime.add(
        await carrier.open(
          {
            label: entry.label,
            instance: entry.instance,
            ...(port === undefined ? {} : { port }),
            portIsFixed: this.#options.port !== undefined,
            admission: admissionOf(this.#allowFrom, this.destination),
            serve: this.#gateway.handle as never,
            clientAuthorities: this.#gateway.clientAuthorities,
            mayDial,
            log,
          },
          open,
        ),
      );
      open.throwIfAborted();
      await this.#options.keepAllowFrom(this.#allowFrom);
      this.#door?.announce(publicUrls(this.#carrier));
      this.#gateway.announce(publicUrls(this.#carrier));
      this.#lifetime.defer(this.#carrier.onState((state) => this.#become(tunnelState(state))));
      const stop = this.#carrier.onCertificate?.(() => this.#changed.emit());
      if (stop) this.#lifetime.defer(stop);
      const unwarn = this.#carrier.onWarning?.(() => this.#changed.emit());
      if (unwarn) this.#lifetime.defer(unwarn);
      const unsubscribe = this.#carrier.onLinks?.(() => this.#changed.emit());
      if (unsubscribe) this.#lifetime.defer(unsubscribe);
      this.#become(tunnelState(this.#carrier.state));
    } catch (cause) {
      const message = 'the tunnel was closed while it was being opened';
      const error = open.aborted ? new TunnelError('CANCELLED', message, { cause }) : cause;
      await this.#lifetime.close();
      throw this.#endedBy ?? error;
    }
  }

  get hasFailed(): boolean {
    return this.#endedBy !== undefined;
  }

  /** Where agents are let in by pairing, on a tunnel that allows it. */
  get desk(): PairingDesk | undefined {
    return this.#door?.desk;
  }

  /** As the server lists them now; one question serves all who ask at the same time. Throws `UPSTREAM_*`, `CANCELLED`. */
  tools(): Promise<ServerTools> {
    this.#asking ??= this.#gateway.tools(this.#lifetime.signal).finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  /** What the server last said of a tool; `undefined` for one it never listed. */
  annotations(tool: string): ToolAnnotations | undefined {
    return this.#gateway.annotations(tool);
  }

  get port(): number | undefined {
    return this.#carrier?.port;
  }

  info(): TunnelInfo {
    const { upstream, carrier } = this.#options;
    const { agents } = this.#gateway;
    const way = this.#carrier;
    const pairing = this.desk?.window;
    return {
      id: this.id,
      server: { id: this.server.id, name: this.server.name, kind: upstream.kind },
      destination: this.destination,
      privacy: carrier.privacy,
      state: this.#state,
      ...(this.#allowFrom.length > 0 ? { allowFrom: [...this.#allowFrom] } : {}),
      openedMs: this.#openedMs,
      callsPerMinute: agents.callsPerMinute,
      agents: agents.list(),
      ...(agents.lastAnswerMs === undefined ? {} : { lastExchangeMs: agents.lastAnswerMs }),
      ...(way ? { hostname: way.hostname, url: way.url } : {}),
      ...(way?.loopbackUrl === undefined ? {} : { loopbackUrl: way.loopbackUrl }),
      ...(way?.links && way.links.wanted > 1 ? { links: way.links } : {}),
      ...(way?.caFile === undefined ? {} : { caFile: way.caFile }),
      ...(way?.certificate === undefined ? {} : { certificate: way.certificate }),
      ...(way?.warning === undefined ? {} : { warning: way.warning }),
      ...(this.desk ? { pairAttempts: this.desk.attempts } : {}),
      ...(pairing ? { pairing } : {}),
    };
  }

  /** Whose addresses may connect from now on. Throws `USAGE`, or the edge's refusal; then all is as it was. */
  async letIn(allowFrom: readonly string[]): Promise<void> {
    const admission = admissionOf(allowFrom, this.destination);
    if (!this.#carrier?.letIn) throw new TunnelError('USAGE', 'this tunnel is not open yet: try again in a moment');
    await this.#carrier.letIn(admission);
    this.#allowFrom = allowFrom;
    this.#changed.emit();
    await this.#options.keepAllowFrom(allowFrom);
    await this.#options.notes.tunnel('changed', this.info());
  }

  /** Throws `USAGE` for a server that is not run here. */
  restartServer(): void {
    const { restarts } = this.#options;
    if (!restarts)
      throw new TunnelError('USAGE', `${this.server.name} is not started by this tunnel: restart it where it runs`);
    restarts.restart('a person asked for it');
  }

  /** Ends it because it may not or cannot go on; the reason stays visible. */
  async fail(error: unknown): Promise<void> {
    this.#endedBy ??= error;
    try {
      await this.#lifetime.close();
    } finally {
      this.#become({ kind: 'failed', error: errorInfo(this.#endedBy) });
    }
  }

  async close(): Promise<void> {
    await this.#lifetime.close();
    if (!this.hasFailed) this.#become({ kind: 'stopped' });
  }

  #become(state: TunnelState): void {
    this.#state = state;
    this.#changed.emit();
  }
}

/** Every URL that a client may be given; an OAuth client compares what it was given byte by byte. */
function publicUrls({ url, loopbackUrl }: OpenCarrier): string[] {
  if (loopbackUrl === undefined) return [url];
  const byName = new URL(loopbackUrl);
  byName.hostname = 'localhost';
  return [url, loopbackUrl, byName.href];
}

function tunnelState(state: CarrierState): TunnelState {
  return state; // A carrier's states are a part of a tunnel's.
}
