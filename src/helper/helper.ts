// The helper: everything that runs on the developer's machine, behind one contract. It owns the stores and the open
// tunnels; drivers (the extension, the CLI, another process of the same user) come and go over Ports.
import { randomBytes, randomUUID } from 'node:crypto';
import type { AuditLog } from '../audit/auditLog.ts';
import { openAuditLog } from '../audit/openAuditLog.ts';
import type { Carrier } from '../carriers/carrier.ts';
import type { Outbound } from '../carriers/outbound.ts';
import { errorInfo, TunnelError } from '../core/errors.ts';
import { Emitter } from '../core/emitter.ts';
import { Lifetime } from '../core/lifetime.ts';
import { GrantStore } from '../identity/grants.ts';
import type { IssuerKeys } from '../identity/jwt/issuerKeys.ts';
import { Throttle } from '../identity/throttle.ts';
import { RateLimiter } from '../policy/limits.ts';
import type { DestinationEntry } from '../policy/policySchema.ts';
import { PolicyStore } from '../policy/policyStore.ts';
import type { ServerTransport } from '../core/server.ts';
import type {
  AuditHead,
  AuditVerdict,
  Destination,
  EditorProxy,
  GrantInfo,
  OpenedTunnel,
  OpenTunnel,
  TunnelInfo,
} from '../protocol/control.ts';
import { TrafficLog } from '../traffic/trafficLog.ts';
import { ProcessGuardian } from '../upstream/processGuardian.ts';
import { Admission } from './admission.ts';
import { AuditNotes } from './auditNotes.ts';
import { auditVerdicts } from './auditVerdicts.ts';
import { CarrierFactory } from './carrierFactory.ts';
import { chainLocks } from './chainLocks.ts';
import { Consents } from './consents.ts';
import { EditedCommands } from './editedCommands.ts';
import { makeDialCheck, type DialCheck } from './dialCheck.ts';
import type { HelperOptions } from './helperOptions.ts';
import { KnownSecrets } from './knownSecrets.ts';
import { NotedGrants } from './notedGrants.ts';
import { makeOutbound } from './outbound.ts';
import { makeIssuerKeys } from './issuerKeys.ts';
import { Pairing } from './pairing.ts';
import { PreviewCache } from './previewCache.ts';
import { Previews } from './previews.ts';
import { privateFiles } from './privateFiles.ts';
import { Rules } from './rules.ts';
import { RunningTunnel } from './runningTunnel.ts';
import { ServerResolver, type ResolvedServer } from './serverResolver.ts';
import { workspacePolicies } from './statePaths.ts';
import { demandUsableAuth } from './upstreamAuth.ts';
import { TunnelBook, type BookEntry } from './tunnelBook.ts';
import { demandCertificate, wantedCertificate } from './tunnelCertificates.ts';
import { makeUpstream } from './makeUpstream.ts';

/** Tunnels open at the same time in one helper. */
export const maxTunnels = 50;

export type LogEntry = { level: 'debug' | 'info' | 'warn' | 'error'; message: string };

export class Helper {
  readonly id: string;
  readonly policy: PolicyStore;
  readonly grants: NotedGrants;
  readonly traffic: TrafficLog;
  readonly servers: ServerResolver;
  readonly pairing: Pairing;
  readonly rules: Rules;
  readonly previews: Previews;
  readonly #options: HelperOptions;
  readonly audit: AuditLog;
  readonly #notes: AuditNotes;
  readonly #admission: Admission;
  readonly #book: TunnelBook;
  readonly #carriers: CarrierFactory;
  readonly #outbound: Outbound;
  #editorProxy: EditorProxy | undefined;
  readonly #throttle: Throttle;
  readonly #limiter: RateLimiter;
  readonly #lifetime: Lifetime;
  readonly #tunnels = new Map<string, RunningTunnel>();
  readonly #ending = new WeakMap<RunningTunnel, Promise<void>>();
  readonly #opening = new Set<Promise<void>>();
  readonly #changed = new Emitter<void>();
  readonly #grantStore: GrantStore;
  readonly #guardian: ProcessGuardian;
  readonly #issuerKeys: IssuerKeys;
  readonly #secrets = new KnownSecrets();
  readonly #logged = new Emitter<LogEntry>();

  readonly onTunnels = this.#changed.on;
  /** Grants were changed, by whomever. */
  readonly onGrants: GrantStore['onChange'];
  readonly onLog = this.#logged.on;

  static async start(options: HelperOptions): Promise<Helper> {
    const lifetime = new Lifetime();
    try {
      const { paths, clock } = options;
      const id = randomUUID();
      const policy = lifetime.add(
        new PolicyStore({
          files: privateFiles,
          clock,
          locations: {
            managed: paths.managedPolicy,
            user: paths.userPolicy,
            workspaces: workspacePolicies(paths, options.folders, options.trusted),
            ...(options.extraPolicy === undefined ? {} : { extra: options.extraPolicy }),
          },
        }),
      );
      const grants = lifetime.add(new GrantStore({ files: privateFiles, path: paths.grants, clock, randomBytes }));
      await Promise.all([policy.load(), grants.load()]);
      const audit = lifetime.add(
        await openAuditLog({
          folder: paths.auditFolder,
          keyFiles: paths.auditKey,
          files: privateFiles,
          locks: chainLocks,
          helper: id,
          clock,
          sync: () => policy.current.audit.sync,
        }),
      );
      return new Helper(id, options, { lifetime, policy, grants, audit });
    } catch (error) {
      await lifetime.close();
      throw error;
    }
  }

  private constructor(
    id: string,
    options: HelperOptions,
    parts: { lifetime: Lifetime; policy: PolicyStore; grants: GrantStore; audit: AuditLog },
  ) {
    const { paths, clock, random, isAlive } = options;
    const { lifetime, policy, grants, audit } = parts;
    const files = privateFiles;
    this.id = id;
    this.policy = policy;
    this.#grantStore = grants;
    this.onGrants = grants.onChange;
    this.#options = options;
    this.audit = audit;
    this.#notes = new AuditNotes(audit, policy, clock);
    this.grants = new NotedGrants({ store: grants, notes: this.#notes, hide: this.#secrets.add });
    this.#lifetime = lifetime;
    this.pairing = new Pairing({
      files,
      path: paths.oauth,
      clock,
      grants,
      policy,
      notes: this.#notes,
      tunnel: (id) => this.#tunnels.get(id),
      log: this.#info,
    });
    this.rules = new Rules({
      policy,
      grants,
      notes: this.#notes,
      clock,
      tunnels: () => this.#tunnels.values(),
    });
    this.#issuerKeys = makeIssuerKeys(policy, clock, (message) => this.#log('warn', message));
    this.#guardian = lifetime.add(new ProcessGuardian());
    this.#throttle = new Throttle({ clock });
    this.#limiter = new RateLimiter({ clock });
    this.traffic = new TrafficLog({ clock, secrets: this.#secrets.list });
    this.#book = new TunnelBook({ files, path: paths.tunnels, helperId: id, isAlive, clock, random });
    this.#outbound = makeOutbound({ env: options.env, clock, editor: () => this.#editorProxy });
    this.#carriers = new CarrierFactory({ files, paths, outbound: this.#outbound, clock, random });
    this.servers = new ServerResolver({
      env: options.env,
      consents: new Consents(files, paths.consents),
      commands: new EditedCommands(files, paths.editedCommands),
      trusted: options.trusted,
    });
    const { servers } = this;
    const hide = this.#secrets.add;
    this.#admission = new Admission({ servers, policy, notes: this.#notes, paths, folders: options.folders, hide });
    this.previews = lifetime.add(
      new Previews({
        servers,
        admission: this.#admission,
        notes: this.#notes,
        cache: new PreviewCache(files, paths.previews),
        guardian: this.#guardian,
        clock,
        log: this.#info,
      }),
    );
    lifetime.defer(policy.onChange(() => void this.#enforce()));
    lifetime.defer(() => this.#closeAll());
  }

  tunnels(): TunnelInfo[] {
    return [...this.#tunnels.values()].map((tunnel) => tunnel.info());
  }

  /** Rejects with nothing left open and its hostname free. */
  open(request: OpenTunnel, signal: AbortSignal): Promise<OpenedTunnel> {
    const opening = this.#open(request, AbortSignal.any([signal, this.#lifetime.signal]));
    const settled = opening.then(
      () => {},
      () => {}, // Whoever asked hears of it.
    );
    this.#opening.add(settled);
    void settled.then(() => this.#opening.delete(settled));
    return opening;
  }

  async #open(request: OpenTunnel, signal: AbortSignal): Promise<OpenedTunnel> {
    const startedMs = this.#options.clock.now();
    if (this.#tunnels.size >= maxTunnels) throw new TunnelError('LIMIT', `at most ${maxTunnels} tunnels can be open`);
    const server = await this.servers.resolve(request.server);
    await this.#admission.knowFolders(server.folders ?? []);
    const dial = this.dialCheck();
    await this.#demandAllowed(dial, server, request.destination);
    const { transport } = await this.#admission.admit(server, request.consent);
    demandUsableAuth(request, transport, this.#grantStore.live(server.id).length > 0);
    const entry = await this.#book.take(server, request.destination, request.name);
    let tunnel: RunningTunnel | undefined;
    let minted: { grant?: GrantInfo; token?: string } = {};
    try {
      const certificate = wantedCertificate(request, entry);
      await this.#notes.demand('destination', () => demandCertificate(certificate, request.destination, dial));
      if (certificate !== entry.certificate) await this.#book.keepCertificate(entry.instance, certificate);
      const carrier = await this.#carriers.make(request.destination, { certificate, dial });
      tunnel = this.#begin(request, { server, transport, entry, carrier, dial });
      // From now on a change of the policy finds it; what changed since it was asked first is seen here.
      await this.#demandAllowed(dial, server, request.destination);
      if (request.auth?.oauth || (tunnel.auth === 'tunnel' && (await this.pairing.hasAgents(entry.instance)))) {
        await this.pairing.enable(tunnel);
      }
      await tunnel.start(signal);
      if (tunnel.port !== undefined) await this.#book.keepPort(entry.instance, tunnel.port);
      await this.#notes.tunnel('opened', tunnel.info());
      const { grant } = request;
      if (!('none' in grant)) minted = await this.grants.add({ ...grant, servers: [server.id] });
      if (signal.aborted || !this.#tunnels.has(tunnel.id)) {
        throw new TunnelError('CANCELLED', 'the tunnel was closed while it was being opened');
      }
      return { tunnel: tunnel.info(), ...minted, readyMs: this.#options.clock.now() - startedMs };
    } catch (error) {
      if (tunnel) await this.#endFailed(tunnel, error);
      else await this.#book.release(entry.instance);
      if (minted.grant) await this.grants.revoke(minted.grant.id); // Nobody will ever hold its token.
      throw error;
    }
  }

  #begin(request: OpenTunnel, { server, transport, entry, carrier, dial }: Beginning): RunningTunnel {
    if (this.#lifetime.closed) throw new TunnelError('CLOSED', 'the helper is ending');
    const { clock } = this.#options;
    const tunnel = new RunningTunnel({
      id: randomUUID(),
      server,
      destination: request.destination,
      entry,
      ...(request.port === undefined ? {} : { port: request.port }),
      allowFrom: request.allowFrom ?? entry.allowFrom ?? [],
      keepAllowFrom: (allowFrom) => this.#book.keepAllowFrom(entry.instance, allowFrom),
      notes: this.#notes,
      carrier,
      ...makeUpstream(transport, { clock, guardian: this.#guardian, run: request.run, log: this.#info }),
      auth: request.auth?.upstream ? 'upstream' : 'tunnel',
      issuerKeys: this.#issuerKeys,
      clock,
      grants: this.#grantStore,
      throttle: this.#throttle,
      policy: this.policy,
      limiter: this.#limiter,
      audit: this.audit,
      traffic: this.traffic,
      mayDial: (dialled) => dial.mayDial(dialled),
      log: this.#info,
    });
    this.#tunnels.set(tunnel.id, tunnel);
    tunnel.onChange(() => this.#changed.emit());
    this.#changed.emit();
    return tunnel;
  }

  /** Throws `NOT_FOUND`. */
  async close(id: string): Promise<void> {
    const tunnel = this.tunnel(id);
    this.#tunnels.delete(id);
    await this.#end(tunnel);
    await this.#notes.tunnel('closed', tunnel.info());
  }

  /** Throws `NOT_FOUND` for a tunnel that this helper does not have. */
  tunnel(id: string): RunningTunnel {
    const tunnel = this.#tunnels.get(id);
    if (!tunnel) throw new TunnelError('NOT_FOUND', `there is no tunnel ${id}`);
    return tunnel;
  }

  /** Adds what the destination lacks, itself or the proxy on the way to it, to the user's policy file; returns that file. */
  async allow(destination: Destination): Promise<string> {
    const missing = this.dialCheck().denied(destination)?.entry;
    const entry = missing === undefined ? destination : (JSON.parse(missing) as DestinationEntry);
    const file = await this.policy.allowDestination(entry);
    await this.#notes.allowed(entry, file);
    return file;
  }

  enrolledEdges(): Promise<string[]> {
    return this.#carriers.enrolledEdges();
  }

  /** Every log of this machine, compared with heads that were kept elsewhere. Throws `USAGE`. */
  verifyAudit(heads: readonly AuditHead[]): Promise<AuditVerdict[]> {
    return auditVerdicts({ folder: this.#options.paths.auditFolder, publicKey: this.audit.publicKey }, heads);
  }

  /** An untrusted workspace runs nothing, and its policy file counts for nothing. */
  dialCheck(): DialCheck {
    return makeDialCheck(this.policy, this.#outbound.proxyFor);
  }

  /** What an editor's own settings say of proxies, from the next dial on. */
  setProxy(proxy: EditorProxy): void {
    this.#editorProxy = proxy;
  }

  setTrusted(trusted: boolean): Promise<void> {
    return this.#admission.setTrusted(trusted);
  }

  stop(): Promise<void> {
    return this.#lifetime.close();
  }

  async #demandAllowed(dial: DialCheck, server: ResolvedServer, destination: Destination): Promise<void> {
    await this.#notes.demand('upstream', () => dial.mayRun(server.transport));
    await this.#notes.demand('destination', () => dial.mayOpen(destination));
  }

  /** The policy changed: what it no longer allows ends now, and stays visible with the reason. */
  async #enforce(): Promise<void> {
    const dial = this.dialCheck();
    const noted = this.#notes.policyChanged();
    const denied = [...this.#tunnels.values()].map(async (tunnel) => {
      if (tunnel.hasFailed) return;
      try {
        await this.#demandAllowed(dial, tunnel.server, tunnel.destination);
      } catch (error) {
        await tunnel.fail(error);
        await this.#notes.tunnel('failed', tunnel.info(), errorInfo(error).code);
      }
    });
    await Promise.all([noted, ...denied]).catch((error: unknown) => this.#log('error', errorInfo(error).message));
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
      await this.#book.release(tunnel.entry.instance);
      this.#changed.emit();
    }
  }

  /** What kept it from opening is what is told, also when that cannot be noted. */
  async #endFailed(tunnel: RunningTunnel, error: unknown): Promise<void> {
    await this.#end(tunnel);
    const { code } = errorInfo(error);
    await this.#notes
      .tunnel('failed', tunnel.info(), code)
      .catch((failure: unknown) => this.#log('error', errorInfo(failure).message));
  }

  readonly #info = (message: string): void => this.#log('info', message);

  #log(level: LogEntry['level'], message: string): void {
    this.#logged.emit({ level, message });
  }

  async #closeAll(): Promise<void> {
    await Promise.all([...this.#tunnels.keys()].map((id) => this.close(id)));
    await Promise.all(this.#opening);
  }
}

/** What a tunnel is made of, once everybody has agreed to it. */
type Beginning = {
  server: ResolvedServer;
  transport: ServerTransport;
  entry: BookEntry;
  carrier: Carrier;
  dial: DialCheck;
};
