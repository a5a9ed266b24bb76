// The open tunnels of a helper: each is opened when everybody has agreed to it, ends once, and ends by itself when the
// policy no longer has it. What could not be opened leaves nothing open, and its name free.
import { randomUUID } from 'node:crypto';
import type { AuditLog } from '../audit/auditLog.ts';
import type { Carrier } from '../carriers/carrier.ts';
import type { Clock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { errorInfo, TunnelError } from '../core/errors.ts';
import type { ServerTransport } from '../core/server.ts';
import type { HeldCalls } from '../gateway/heldCalls.ts';
import type { GrantStore } from '../identity/grants.ts';
import type { IssuerKeys } from '../identity/jwt/issuerKeys.ts';
import type { Throttle } from '../identity/throttle.ts';
import type { RateLimiter } from '../policy/limits.ts';
import type { PolicyStore } from '../policy/policyStore.ts';
import type { Destination, GrantInfo, OpenedTunnel, OpenTunnel, TunnelInfo } from '../protocol/control.ts';
import type { TrafficLog } from '../traffic/trafficLog.ts';
import type { ProcessGuardian } from '../upstream/processGuardian.ts';
import type { Admission } from './admission.ts';
import type { AuditNotes } from './auditNotes.ts';
import type { CarrierFactory } from './carrierFactory.ts';
import type { DialCheck } from './dialCheck.ts';
import { makeUpstream } from './makeUpstream.ts';
import type { NotedGrants } from './notedGrants.ts';
import type { Pairing } from './pairing.ts';
import { RunningTunnel } from './runningTunnel.ts';
import type { ResolvedServer, ServerResolver } from './serverResolver.ts';
import type { BookEntry, TunnelBook } from './tunnelBook.ts';
import { demandCertificate, wantedCertificate } from './tunnelCertificates.ts';
import { demandUsableAuth } from './upstreamAuth.ts';

/** Tunnels open at the same time in one helper. */
export const maxTunnels = 50;

export type OpenTunnelsOptions = {
  servers: ServerResolver;
  admission: Admission;
  notes: AuditNotes;
  book: TunnelBook;
  carriers: CarrierFactory;
  pairing: Pairing;
  holds: HeldCalls;
  /** As the policy is now. */
  dialCheck: () => DialCheck;
  grants: GrantStore;
  notedGrants: NotedGrants;
  guardian: ProcessGuardian;
  issuerKeys: IssuerKeys;
  throttle: Throttle;
  limiter: RateLimiter;
  policy: PolicyStore;
  audit: AuditLog;
  traffic: TrafficLog;
  clock: Clock;
  log: (level: 'info' | 'error', message: string) => void;
};

export class OpenTunnels {
  readonly #options: OpenTunnelsOptions;
  readonly #tunnels = new Map<string, RunningTunnel>();
  readonly #ending = new WeakMap<RunningTunnel, Promise<void>>();
  readonly #opening = new Set<Promise<void>>();
  readonly #changed = new Emitter<void>();
  readonly #closing = new AbortController();

  readonly onChange = this.#changed.on;

  constructor(options: OpenTunnelsOptions) {
    this.#options = options;
  }

  all(): Iterable<RunningTunnel> {
    return this.#tunnels.values();
  }

  find(id: string): RunningTunnel | undefined {
    return this.#tunnels.get(id);
  }

  list(): TunnelInfo[] {
    return [...this.#tunnels.values()].map((tunnel) => tunnel.info());
  }

  /** Rejects with nothing left open and its hostname free. */
  open(request: OpenTunnel, signal: AbortSignal): Promise<OpenedTunnel> {
    const opening = this.#open(request, AbortSignal.any([signal, this.#closing.signal]));
    const settled = opening.then(
      () => {},
      () => {}, // Whoever asked hears of it.
    );
    this.#opening.add(settled);
    void settled.then(() => this.#opening.delete(settled));
    return opening;
  }

  async #open(request: OpenTunnel, signal: AbortSignal): Promise<OpenedTunnel> {
    const { servers, admission, notes, book, carriers, pairing, grants, notedGrants, clock, dialCheck } = this.#options;
    const startedMs = clock.now();
    if (this.#tunnels.size >= maxTunnels) throw new TunnelError('LIMIT', `at most ${maxTunnels} tunnels can be open`);
    const server = await servers.resolve(request.server);
    await admission.knowFolders(server.folders ?? []);
    const dial = dialCheck();
    await this.#demandAllowed(dial, server, request.destination);
    const { transport } = await admission.admit(server, request.consent);
    demandUsableAuth(request, transport, grants.live(server.id).length > 0);
    const entry = await book.take(server, request.destination, request.name);
    let tunnel: RunningTunnel | undefined;
    let minted: { grant?: GrantInfo; token?: string } = {};
    try {
      const certificate = wantedCertificate(request, entry);
      await notes.demand('destination', () => demandCertificate(certificate, request.destination, dial));
      if (certificate !== entry.certificate) await book.keepCertificate(entry.instance, certificate);
      const carrier = await carriers.make(request.destination, { certificate, dial });
      tunnel = this.#begin(request, { server, transport, entry, carrier, dial });
      // From now on a change of the policy finds it; what changed since it was asked first is seen here.
      await this.#demandAllowed(dial, server, request.destination);
      if (request.auth?.oauth || (tunnel.auth === 'tunnel' && (await pairing.hasAgents(entry.instance)))) {
        await pairing.enable(tunnel);
      }
      await tunnel.start(signal);
      if (tunnel.port !== undefined) await book.keepPort(entry.instance, tunnel.port);
      await notes.tunnel('opened', tunnel.info());
      const { grant } = request;
      if (!('none' in grant)) minted = await notedGrants.add({ ...grant, servers: [server.id] });
      if (signal.aborted || !this.#tunnels.has(tunnel.id)) {
        throw new TunnelError('CANCELLED', 'the tunnel was closed while it was being opened');
      }
      return { tunnel: tunnel.info(), ...minted, readyMs: clock.now() - startedMs };
    } catch (error) {
      if (tunnel) await this.#endFailed(tunnel, error);
      else await book.release(entry.instance);
      if (minted.grant) await notedGrants.revoke(minted.grant.id); // Nobody will ever hold its token.
      throw error;
    }
  }

  #begin(request: OpenTunnel, { server, transport, entry, carrier, dial }: Beginning): RunningTunnel {
    if (this.#closing.signal.aborted) throw new TunnelError('CLOSED', 'the helper is ending');
    const { book, notes, guardian, issuerKeys, clock, grants, throttle, policy, limiter, audit, traffic, holds } =
      this.#options;
    const tunnel = new RunningTunnel({
      id: randomUUID(),
      server,
      destination: request.destination,
      entry,
      ...(request.port === undefined ? {} : { port: request.port }),
      allowFrom: request.allowFrom ?? entry.allowFrom ?? [],
      keepAllowFrom: (allowFrom) => book.keepAllowFrom(entry.instance, allowFrom),
      notes,
      carrier,
      ...makeUpstream(transport, { clock, guardian, run: request.run, log: this.#info }),
      auth: request.auth?.upstream ? 'upstream' : 'tunnel',
      issuerKeys,
      clock,
      grants,
      throttle,
      policy,
      limiter,
      audit,
      traffic,
      holds,
      mayDial: (dialled) => dial.mayDial(dialled),
      log: this.#info,
    });
    this.#tunnels.set(tunnel.id, tunnel);
    tunnel.onChange(() => this.#changed.emit());
    this.#changed.emit();
    return tunnel;
  }

  /** Throws `NOT_FOUND`. */
  async end(id: string): Promise<void> {
    const tunnel = this.get(id);
    this.#tunnels.delete(id);
    await this.#end(tunnel);
    await this.#options.notes.tunnel('closed', tunnel.info());
  }

  /** Throws `NOT_FOUND` for a tunnel that this helper does not have. */
  get(id: string): RunningTunnel {
    const tunnel = this.#tunnels.get(id);
    if (!tunnel) throw new TunnelError('NOT_FOUND', `there is no tunnel ${id}`);
    return tunnel;
  }

  /** Ends all, and whatever is being opened. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#tunnels.keys()].map((id) => this.end(id)));
    await Promise.all(this.#opening);
  }

  async #demandAllowed(dial: DialCheck, server: ResolvedServer, destination: Destination): Promise<void> {
    await this.#options.notes.demand('upstream', () => dial.mayRun(server.transport));
    await this.#options.notes.demand('destination', () => dial.mayOpen(destination));
  }

  /** The policy changed: what it no longer allows ends now, and stays visible with the reason. */
  async enforce(): Promise<void> {
    const dial = this.#options.dialCheck();
    const noted = this.#options.notes.policyChanged();
    const denied = [...this.#tunnels.values()].map(async (tunnel) => {
      if (tunnel.hasFailed) return;
      try {
        await this.#demandAllowed(dial, tunnel.server, tunnel.destination);
      } catch (error) {
        await tunnel.fail(error);
        await this.#options.notes.tunnel('failed', tunnel.info(), errorInfo(error).code);
      }
    });
    await Promise.all([noted, ...denied]).catch((error: unknown) =>
      this.#options.log('error', errorInfo(error).message),
    );
  }

  /** Closed, and its name free for the next time. */
  #end(tunnel: RunningTunnel): Promise<void> {
    // Once: the name may be another tunnel's by the time that a second one asks for the same end.
    const ending = this.#ending.get(tunnel) ?? this.#endNow(tunnel);
    this.#ending.set(tunnel, ending);
    return ending;
  }

  async #endNow(tunnel: RunningTunnel): Promise<void> {
    this.#tunnels.delete(tunnel.id);
    try {
      await tunnel.close();
    } finally {
      await this.#options.book.release(tunnel.entry.instance);
      this.#changed.emit();
    }
  }

  /** What kept it from opening is what is told, also when that cannot be noted. */
  async #endFailed(tunnel: RunningTunnel, error: unknown): Promise<void> {
    await this.#end(tunnel);
    const { code } = errorInfo(error);
    await this.#options.notes
      .tunnel('failed', tunnel.info(), code)
      .catch((failure: unknown) => this.#options.log('error', errorInfo(failure).message));
  }

  readonly #info = (message: string): void => this.#options.log('info', message);
}

/** What a tunnel is made of, once everybody has agreed to it. */
type Beginning = {
  server: ResolvedServer;
  transport: ServerTransport;
  entry: BookEntry;
  carrier: Carrier;
  dial: DialCheck;
};
