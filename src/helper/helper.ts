// The helper: everything that runs on the developer's machine, behind one contract. It owns the stores and the open
// tunnels; drivers (the extension, the CLI, another process of the same user) come and go over Ports.
import { randomBytes, randomUUID } from 'node:crypto';
import type { AuditLog } from '../audit/auditLog.ts';
import { openAuditLog } from '../audit/openAuditLog.ts';
import type { Outbound } from '../carriers/outbound.ts';
import { Emitter } from '../core/emitter.ts';
import { Lifetime } from '../core/lifetime.ts';
import { HeldCalls } from '../gateway/heldCalls.ts';
import { GrantStore } from '../identity/grants.ts';
import { Throttle } from '../identity/throttle.ts';
import { RateLimiter } from '../policy/limits.ts';
import type { DestinationEntry } from '../policy/policySchema.ts';
import { PolicyStore } from '../policy/policyStore.ts';
import type {
  AuditHead,
  AuditVerdict,
  Destination,
  EditorProxy,
  OpenedTunnel,
  OpenTunnel,
  TunnelInfo,
} from '../protocol/control.ts';
import type { Segments } from '../traffic/segments.ts';
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
import { OpenTunnels } from './openTunnels.ts';
import { makeOutbound } from './outbound.ts';
import { makeIssuerKeys } from './issuerKeys.ts';
import { Pairing } from './pairing.ts';
import { PreviewCache } from './previewCache.ts';
import { Previews } from './previews.ts';
import { privateFiles } from './privateFiles.ts';
import { Rules } from './rules.ts';
import type { RunningTunnel } from './runningTunnel.ts';
import { ServerResolver } from './serverResolver.ts';
import { workspacePolicies } from './statePaths.ts';
import { heldTraffic, openTrafficFolder } from './trafficFolder.ts';
import { TunnelBook } from './tunnelBook.ts';

export type LogEntry = { level: 'debug' | 'info' | 'warn' | 'error'; message: string };

export class Helper {
  readonly id: string;
  readonly policy: PolicyStore;
  readonly grants: NotedGrants;
  readonly traffic: TrafficLog;
  readonly servers: ServerResolver;
  readonly pairing: Pairing;
  readonly holds: HeldCalls;
  readonly rules: Rules;
  readonly previews: Previews;
  readonly #options: HelperOptions;
  readonly audit: AuditLog;
  readonly #notes: AuditNotes;
  readonly #admission: Admission;
  readonly #carriers: CarrierFactory;
  readonly #outbound: Outbound;
  #editorProxy: EditorProxy | undefined;
  readonly #lifetime: Lifetime;
  readonly #tunnels: OpenTunnels;
  readonly #secrets = new KnownSecrets();
  readonly #logged = new Emitter<LogEntry>();

  readonly onTunnels: OpenTunnels['onChange'];
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
      const segments = lifetime.add(await openTrafficFolder(paths.trafficFolder, id, options.isAlive));
      return new Helper(id, options, { lifetime, policy, grants, audit, segments });
    } catch (error) {
      await lifetime.close();
      throw error;
    }
  }

  private constructor(
    id: string,
    options: HelperOptions,
    parts: { lifetime: Lifetime; policy: PolicyStore; grants: GrantStore; audit: AuditLog; segments: Segments },
  ) {
    const { paths, clock, random, isAlive } = options;
    const { lifetime, policy, grants, audit, segments } = parts;
    const files = privateFiles;
    this.id = id;
    this.policy = policy;
    this.onGrants = grants.onChange;
    this.#options = options;
    this.audit = audit;
    this.#notes = new AuditNotes(audit, policy, clock);
    this.grants = new NotedGrants({ store: grants, notes: this.#notes, hide: this.#secrets.add });
    this.#lifetime = lifetime;
    this.holds = new HeldCalls(clock);
    this.pairing = new Pairing({
      files,
      path: paths.oauth,
      clock,
      grants,
      policy,
      notes: this.#notes,
      tunnel: (id) => this.#tunnels.find(id),
      log: this.#info,
    });
    this.rules = new Rules({
      policy,
      grants,
      notes: this.#notes,
      clock,
      tunnels: () => this.#tunnels.all(),
    });
    const guardian = lifetime.add(new ProcessGuardian());
    this.traffic = new TrafficLog({ clock, secrets: this.#secrets.list, ...heldTraffic, segments });
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
        guardian,
        clock,
        log: this.#info,
      }),
    );
    this.#tunnels = new OpenTunnels({
      servers,
      admission: this.#admission,
      notes: this.#notes,
      book: new TunnelBook({ files, path: paths.tunnels, helperId: id, isAlive, clock, random }),
      carriers: this.#carriers,
      pairing: this.pairing,
      holds: this.holds,
      dialCheck: () => this.dialCheck(),
      grants,
      notedGrants: this.grants,
      guardian,
      issuerKeys: makeIssuerKeys(policy, clock, (message) => this.#log('warn', message)),
      throttle: new Throttle({ clock }),
      limiter: new RateLimiter({ clock }),
      policy,
      audit,
      traffic: this.traffic,
      clock,
      log: (level, message) => this.#log(level, message),
    });
    this.onTunnels = this.#tunnels.onChange;
    lifetime.defer(policy.onChange(() => void this.#tunnels.enforce()));
    lifetime.add(this.#tunnels);
  }

  tunnels(): TunnelInfo[] {
    return this.#tunnels.list();
  }

  /** Rejects with nothing left open and its hostname free. */
  open(request: OpenTunnel, signal: AbortSignal): Promise<OpenedTunnel> {
    return this.#tunnels.open(request, signal);
  }

  /** Throws `NOT_FOUND`. */
  close(id: string): Promise<void> {
    return this.#tunnels.end(id);
  }

  /** Throws `NOT_FOUND` for a tunnel that this helper does not have. */
  tunnel(id: string): RunningTunnel {
    return this.#tunnels.get(id);
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
    const { proxyFor } = this.#outbound;
    return makeDialCheck(this.policy, { proxyFor, secrets: () => this.servers.secretAnswers() });
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

  readonly #info = (message: string): void => this.#log('info', message);

  #log(level: LogEntry['level'], message: string): void {
    this.#logged.emit({ level, message });
  }
}
