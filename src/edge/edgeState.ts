// What an edge remembers over restarts: its certificate authority and server key, enrolment tokens, connectors, and who
// owns which label. Other processes (`edge token`, `edge revoke`) change the same files while the edge runs.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Authority } from '../certs/authority.ts';
import type { Clock } from '../core/clock.ts';
import { Emitter, type Unsubscribe } from '../core/emitter.ts';
import { TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import { labelProblem } from '../core/hostname.ts';
import type { Closable } from '../core/lifetime.ts';
import { edgeFile, parseEdgeFile, printEdgeFile, type Claim, type ConnectorRecord, type EdgeFile } from './edgeFile.ts';
import type { EdgeAuthority } from './edgeAuthority.ts';
import { findByToken, isEnrolmentToken, makeEnrolmentToken, tokenDigest } from './enrolmentToken.ts';
import { checkScope, isInScope } from './labelScope.ts';
import {
  broughtServerIdentity,
  ownServerIdentity,
  type ServerCertificate,
  type ServerIdentity,
} from './serverIdentity.ts';

const dayMs = 86_400_000;

export const defaultTokenMs = 3_600_000;
/** A connector's certificate. Nothing renews it by itself yet; a revocation takes effect at once, whatever its age. */
export const connectorDays = 365;
/** A claim that nobody used for so long is free again; so is what is known of a connector after its certificate. */
export const unusedClaimMs = 90 * dayMs;
/** At these numbers the edge refuses with `LIMIT`; nothing that is there is pushed out. */
export const maxUnspentTokens = 1_000;
export const maxConnectors = 10_000;
export const maxLabelsPerConnector = 64;
/** How late the edge hears of what another process changed. */
export const refreshMs = 1_000;
/** How exact `usedMs` is: a claim in daily use costs one write a day. */
const useGrainMs = dayMs;

export type EdgeStateOptions = {
  files: PrivateFiles;
  folder: string;
  domain: string;
  clock: Clock;
  /** PEM of a certificate (with its chain) for the doors; the edge's CA makes one where it is absent. */
  server?: { keyPem: string; certificatePem: string };
};

export class EdgeState implements EdgeAuthority {
  /** Signs the connectors' certificates, and the doors' when nobody brought one. */
  readonly authority: Authority;
  readonly domain: string;
  readonly #files: PrivateFiles;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #server: ServerIdentity;
  readonly #revoked = new Emitter<string>();
  #generation = 0;
  #text: string | undefined;
  #file: EdgeFile;

  private constructor(options: EdgeStateOptions, authority: Authority, server: ServerIdentity) {
    this.authority = authority;
    this.domain = options.domain;
    this.#files = options.files;
    this.#path = join(options.folder, edgeFile);
    this.#clock = options.clock;
    this.#server = server;
    this.#file = parseEdgeFile(undefined, this.#path);
  }

  /** Throws `CONFIG_INVALID`, `CERTIFICATE_INVALID` or `STATE_UNWRITABLE`, each naming the file. */
  static async load(options: EdgeStateOptions): Promise<EdgeState> {
    const commonName = `MCP Tunnel edge ${options.domain}`;
    const authority = await Authority.loadOrCreate({ ...options, commonName });
    const server = options.server
      ? broughtServerIdentity(options.server, options.domain, options.clock.now())
      : await ownServerIdentity({ ...options, authority });
    const state = new EdgeState(options, authority, server);
    await state.refresh();
    return state;
  }

  /** Key and certificate of the doors. Ask for each handshake or at least daily: it is renewed when it grows old. */
  serverIdentity(): ServerCertificate {
    return this.#server.current();
  }

  /** The text exists in the answer only. Throws `USAGE` for bad globs, `LIMIT`. */
  async mintToken({ labels, expiresMs }: { labels?: string[]; expiresMs?: number } = {}): Promise<{
    token: string;
    expiresMs: number;
  }> {
    if (labels) checkScope(labels);
    const token = makeEnrolmentToken();
    const until = expiresMs ?? this.#clock.now() + defaultTokenMs;
    await this.#change((file) => {
      if (file.tokens.length >= maxUnspentTokens) {
        throw new TunnelError('LIMIT', `there are ${maxUnspentTokens} unspent tokens: wait until some expire`);
      }
      file.tokens.push({ digest: tokenDigest(token), expiresMs: until, ...(labels ? { labels } : {}) });
    });
    return { token, expiresMs: until };
  }

  /** Throws `ENROLMENT_REFUSED`, never saying why. Spends nothing. */
  async checkToken(token: string): Promise<void> {
    await this.refresh();
    this.#findToken(this.#file, token);
  }

  /** Makes the token's one connector; the token is gone before this resolves. Throws `ENROLMENT_REFUSED`, `LIMIT`. */
  async spendToken(token: string): Promise<{ connector: string; labels?: string[]; expiresMs: number }> {
    const id = randomBytes(12).toString('hex');
    const now = this.#clock.now();
    const expiresMs = now + connectorDays * dayMs;
    let scope: { labels?: string[] } = {};
    await this.#change((file) => {
      const found = this.#findToken(file, token);
      if (file.connectors.length >= maxConnectors) {
        throw new TunnelError('LIMIT', `this edge knows ${maxConnectors} connectors: revoke some that are not used`);
      }
      scope = found.labels ? { labels: found.labels } : {};
      file.tokens = file.tokens.filter((entry) => entry !== found);
      file.connectors.push({ id, enrolledMs: now, expiresMs, ...scope });
    });
    return { connector: id, expiresMs, ...scope };
  }

  connectors(): readonly ConnectorRecord[] {
    return this.#file.connectors;
  }

  claims(): readonly Claim[] {
    return this.#file.claims.filter((claim) => this.#isAlive(claim));
  }

  /** Idempotent. Its labels are free at once; `NOT_FOUND` for an unknown id. */
  async revokeConnector(id: string): Promise<void> {
    await this.#change((file) => {
      const connector = file.connectors.find((known) => known.id === id);
      if (!connector)
        throw new TunnelError('NOT_FOUND', `this edge knows no connector ${id}; “mcp-tunnel edge routes” lists them`);
      connector.revokedMs ??= this.#clock.now();
      file.claims = file.claims.filter((claim) => claim.connector !== id);
    });
  }

  /** As of the last {@link refresh}. Unknown counts as revoked: this edge cannot answer for it. */
  isRevoked(id: string): boolean {
    const connector = this.#file.connectors.find((known) => known.id === id);
    return connector === undefined || connector.revokedMs !== undefined;
  }

  /** A connector was revoked, here or by another process; needs {@link watch}. */
  onRevoked(listener: (id: string) => void): Unsubscribe {
    return this.#revoked.on(listener);
  }

  /** The connector that owns `label`, as of the last {@link refresh}. */
  ownerOf(label: string): string | undefined {
    return this.claims().find((claim) => claim.label === label)?.connector;
  }

  /**
   * Makes `label` this connector's, or notes that it is used again. Throws `ROUTE_DENIED` when another owns it, the
   * label is outside the connector's scope or no label at all; `CERTIFICATE_INVALID` for a revoked one; `LIMIT`.
   */
  async claimLabel(label: string, connector: string): Promise<void> {
    const problem = labelProblem(label);
    if (problem) throw new TunnelError('ROUTE_DENIED', `${label.slice(0, 80)} cannot be a hostname: ${problem}`);
    await this.refresh();
    if (!this.#mayClaim(this.#file, label, connector))
      await this.#change((file) => this.#claim(file, label, connector));
  }

  /** Gives up the ownership. Not for the end of a tunnel: the hostname stays its connector's for its return. */
  async releaseLabel(label: string, connector: string): Promise<void> {
    await this.#change((file) => {
      file.claims = file.claims.filter((claim) => claim.label !== label || claim.connector !== connector);
    });
  }

  /** Notes that these labels are in use, so that a tunnel that is up for months keeps its name. */
  async touchLabels(labels: readonly string[]): Promise<void> {
    const now = this.#clock.now();
    const isOld = (claim: Claim): boolean => labels.includes(claim.label) && now - claim.usedMs >= useGrainMs;
    if (!this.claims().some(isOld)) return;
    await this.#change((file) => {
      for (const claim of file.claims.filter(isOld)) claim.usedMs = now;
    });
  }

  /** Reads the file again when another process changed it. */
  async refresh(): Promise<void> {
    for (;;) {
      const generation = this.#generation;
      const text = await this.#files.read(this.#path);
      // What was taken during the read may be newer than what it found.
      if (generation === this.#generation) return this.#take(text);
    }
  }

  /** Refreshes every second until closed; `onProblem` hears of a file that cannot be read, and what was read stands. */
  watch(onProblem: (error: unknown) => void): Closable {
    let timer = this.#clock.after(refreshMs, () => void tick());
    let closed = false;
    const tick = async (): Promise<void> => {
      await this.refresh().catch(onProblem);
      if (!closed) timer = this.#clock.after(refreshMs, () => void tick());
    };
    return {
      close() {
        closed = true;
        timer.cancel();
      },
    };
  }

  /** True when there is nothing to write: the claim stands and was used lately. */
  #mayClaim(file: EdgeFile, label: string, connector: string): boolean {
    const known = file.connectors.find(({ id }) => id === connector);
    if (!known || known.revokedMs !== undefined) {
      throw new TunnelError('CERTIFICATE_INVALID', 'this edge no longer accepts the certificate: enroll again');
    }
    const claim = file.claims.find((one) => one.label === label && this.#isAlive(one));
    if (claim && claim.connector !== connector) {
      throw new TunnelError(
        'ROUTE_DENIED',
        `${label}.${this.domain} belongs to another connector: choose another name`,
      );
    }
    if (!isInScope(known.labels, label)) {
      const scope = known.labels?.join(', ');
      throw new TunnelError('ROUTE_DENIED', `this connector may only use the names ${scope}, so not ${label}`);
    }
    return claim !== undefined && this.#clock.now() - claim.usedMs < useGrainMs;
  }

  #claim(file: EdgeFile, label: string, connector: string): void {
    if (this.#mayClaim(file, label, connector)) return;
    const now = this.#clock.now();
    const claim = file.claims.find((one) => one.label === label);
    if (claim) return void (claim.usedMs = now);
    if (file.claims.filter((one) => one.connector === connector).length >= maxLabelsPerConnector) {
      throw new TunnelError('LIMIT', `a connector owns at most ${maxLabelsPerConnector} names: use one that it owns`);
    }
    file.claims.push({ label, connector, claimedMs: now, usedMs: now });
  }

  #findToken(file: EdgeFile, token: string): EdgeFile['tokens'][number] {
    const found = isEnrolmentToken(token) ? findByToken(file.tokens, token) : undefined;
    if (found && found.expiresMs > this.#clock.now()) return found;
    const message = 'the enrolment token is not valid here (unknown, used or expired): ask for a new one';
    throw new TunnelError('ENROLMENT_REFUSED', message);
  }

  async #change(change: (file: EdgeFile) => void): Promise<void> {
    const text = await this.#files.update(this.#path, (old) => {
      const file = parseEdgeFile(old, this.#path);
      this.#prune(file);
      change(file);
      return printEdgeFile(file);
    });
    this.#take(text);
  }

  #take(text: string | undefined): void {
    this.#generation += 1;
    if (text === this.#text && text !== undefined) return;
    const before = this.#file;
    this.#file = parseEdgeFile(text, this.#path);
    this.#text = text;
    for (const { id, revokedMs } of before.connectors) {
      if (revokedMs === undefined && this.isRevoked(id)) this.#revoked.emit(id);
    }
  }

  #isAlive(claim: Claim): boolean {
    return this.#clock.now() - claim.usedMs < unusedClaimMs;
  }

  #prune(file: EdgeFile): void {
    const now = this.#clock.now();
    file.tokens = file.tokens.filter((token) => token.expiresMs > now);
    file.claims = file.claims.filter((claim) => this.#isAlive(claim));
    file.connectors = file.connectors.filter((connector) => now - connector.expiresMs < unusedClaimMs);
  }
}
