// What an edge remembers over restarts, in its own files: its certificate authority and server key, enrolment tokens,
// connectors, and who owns which label. Other processes (`edge token`, `edge revoke`) change the same files while the
// edge runs.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Authority } from '../certs/authority.ts';
import type { Clock, TimerHandle } from '../core/clock.ts';
import { Emitter, type Unsubscribe } from '../core/emitter.ts';
import { TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import type { Closable } from '../core/lifetime.ts';
import { connectorDays, enrolled, isForgotten, maxConnectors, renewed } from './connectorRules.ts';
import type { EdgeStore } from './edgeAuthority.ts';
import { edgeFile, parseEdgeFile, printEdgeFile, type EdgeFile } from './edgeFile.ts';
import type { Claim, ConnectorRecord, TokenRecord } from './edgeRecords.ts';
import { findByToken } from './enrolmentToken.ts';
import { claimed, isAlive, isStale, releasable, transferred } from './labelRules.ts';
import {
  broughtServerIdentity,
  ownServerIdentity,
  type ServerCertificate,
  reloadMs,
  type ServerIdentity,
  type ServerSource,
} from './serverIdentity.ts';
import {
  checkEnrollable,
  checkSpendable,
  makeToken,
  maxUnspentTokens,
  tokenId,
  unknownConnector,
} from './tokenRules.ts';
import type { TokenWish } from './tokenRules.ts';

const dayMs = 86_400_000;

/** How late the edge hears of what another process changed: a revocation takes effect within a second. */
export const refreshMs = 500;

export type EdgeStateOptions = {
  files: PrivateFiles;
  folder: string;
  domain: string;
  clock: Clock;
  /** A certificate for the doors, read again every minute; the edge's CA makes one where it is absent. */
  server?: ServerSource;
  /** How long a connector's certificate lives; the usual is {@link connectorDays}. */
  connectorMs?: number;
  /** Globs of names that nobody may claim; `transferLabel` alone gives them out. */
  reserved?: readonly string[];
};

export class EdgeState implements EdgeStore {
  /** Signs the connectors' certificates, and the doors' when nobody brought one. */
  readonly authority: Authority;
  readonly domain: string;
  readonly #options: EdgeStateOptions;
  readonly #path: string;
  readonly #server: ServerIdentity;
  readonly #revoked = new Emitter<string>();
  readonly #moved = new Emitter<string>();
  #generation = 0;
  #text: string | undefined;
  #file: EdgeFile;
  /** The file's, by id and by label. */
  #connectors = new Map<string, ConnectorRecord>();
  #claims = new Map<string, Claim>();

  private constructor(options: EdgeStateOptions, authority: Authority, server: ServerIdentity) {
    this.authority = authority;
    this.domain = options.domain;
    this.#options = options;
    this.#path = join(options.folder, edgeFile);
    this.#server = server;
    this.#file = parseEdgeFile(undefined, this.#path);
  }

  /** Throws `CONFIG_INVALID`, `CERTIFICATE_INVALID` or `STATE_UNWRITABLE`, each naming the file. */
  static async load(options: EdgeStateOptions): Promise<EdgeState> {
    const commonName = `MCP Tunnel edge ${options.domain}`;
    const authority = await Authority.loadOrCreate({ ...options, commonName });
    const server = options.server
      ? await broughtServerIdentity(options.server, options.domain, options.clock)
      : await ownServerIdentity({ ...options, authority });
    const state = new EdgeState(options, authority, server);
    await state.refresh();
    return state;
  }

  /** Key and certificate of the doors. Ask for each handshake or at least daily: it is renewed when it grows old. */
  serverIdentity(): ServerCertificate {
    return this.#server.current();
  }

  /** Reads a brought certificate again now; true when it is another one. Throws as {@link load}; the last good one stays. */
  reloadServer(): Promise<boolean> {
    return this.#server.reload();
  }

  async mintToken(wish: TokenWish = {}): Promise<{ token: string; id: string; expiresMs: number }> {
    const { token, record } = makeToken(wish, this.#now());
    await this.#change((file) => {
      const { connector } = wish;
      if (connector !== undefined) checkEnrollable(connector, connectorIn(file, connector));
      if (file.tokens.length >= maxUnspentTokens) {
        throw new TunnelError('LIMIT', `there are ${maxUnspentTokens} unspent tokens: wait until some expire`);
      }
      file.tokens.push(record);
    });
    return { token, id: tokenId(record), expiresMs: record.expiresMs };
  }

  tokens(): readonly TokenRecord[] {
    return this.#file.tokens.filter((token) => token.expiresMs > this.#now());
  }

  async revokeToken(id: string): Promise<void> {
    await this.#change((file) => {
      const left = file.tokens.filter((token) => tokenId(token) !== id);
      if (left.length === file.tokens.length) {
        throw new TunnelError(
          'NOT_FOUND',
          `there is no unspent token ${id}; “mcp-tunnel edge token --list” lists them`,
        );
      }
      file.tokens = left;
    });
  }

  async checkToken(token: string): Promise<void> {
    await this.refresh();
    this.#spendable(this.#file, token);
  }

  async spendToken(token: string): Promise<{ connector: string; labels?: string[]; expiresMs: number }> {
    let connector!: ConnectorRecord;
    await this.#change((file) => {
      const found = this.#spendable(file, token);
      const present = found.connector === undefined ? undefined : connectorIn(file, found.connector);
      if (!present && file.connectors.length >= maxConnectors) {
        throw new TunnelError('LIMIT', `this edge knows ${maxConnectors} connectors: revoke some that are not used`);
      }
      connector = enrolled(found, present, { ...this.#term(), id: randomBytes(12).toString('hex') });
      file.tokens = file.tokens.filter((entry) => entry !== found);
      file.connectors = [...file.connectors.filter((known) => known !== present), connector];
    });
    const { id, labels, expiresMs } = connector;
    return { connector: id, expiresMs, ...(labels ? { labels } : {}) };
  }

  async noteRenewal(id: string): Promise<{ expiresMs: number }> {
    let connector!: ConnectorRecord;
    await this.#change((file) => {
      const present = connectorIn(file, id);
      connector = renewed(present, this.#term());
      file.connectors = file.connectors.map((known) => (known === present ? connector : known));
    });
    return { expiresMs: connector.expiresMs };
  }

  connectors(): readonly ConnectorRecord[] {
    return this.#file.connectors;
  }

  claims(): readonly Claim[] {
    return this.#file.claims.filter((claim) => isAlive(claim, this.#now()));
  }

  async revokeConnector(id: string): Promise<void> {
    await this.#change((file) => {
      const connector = connectorIn(file, id);
      if (!connector) throw unknownConnector(id);
      connector.revokedMs ??= this.#now();
      file.claims = file.claims.filter((claim) => claim.connector !== id);
      file.tokens = file.tokens.filter((token) => token.connector !== id);
    });
  }

  /** As of the last {@link refresh}. Unknown counts as revoked: this edge cannot answer for it. */
  isRevoked(id: string): boolean {
    const connector = this.#connectors.get(id);
    return connector === undefined || connector.revokedMs !== undefined;
  }

  certifiedUntilMs(id: string): number {
    return this.#connectors.get(id)?.expiresMs ?? 0;
  }

  /** A connector was revoked, here or by another process; needs {@link watch}. */
  onRevoked(listener: (id: string) => void): Unsubscribe {
    return this.#revoked.on(listener);
  }

  onMoved(listener: (label: string) => void): Unsubscribe {
    return this.#moved.on(listener);
  }

  /** As of the last {@link refresh}. */
  ownerOf(label: string): string | undefined {
    const claim = this.#claims.get(label);
    return claim && isAlive(claim, this.#now()) ? claim.connector : undefined;
  }

  async claimLabel(label: string, connector: string): Promise<void> {
    await this.refresh();
    if (this.#claim(this.#file, label, connector) === this.#claims.get(label)) return;
    await this.#change((file) => put(file, this.#claim(file, label, connector)));
  }

  async transferLabel(label: string, connector: string): Promise<void> {
    await this.#change((file) => {
      const to = connectorIn(file, connector);
      if (!to) throw unknownConnector(connector);
      put(file, transferred({ label, connector: to, ...standing(file, label, connector), nowMs: this.#now() }));
    });
  }

  async releaseLabel(label: string): Promise<void> {
    await this.#change((file) => {
      const claim = releasable(label, standing(file, label, '').claim, this.#now());
      file.claims = file.claims.filter((one) => one !== claim);
    });
  }

  /** Notes that these labels are in use, so that a tunnel that is up for months keeps its name. */
  async touchLabels(labels: readonly string[]): Promise<void> {
    const now = this.#now();
    const used = new Set(labels);
    const isOld = (claim: Claim): boolean => used.has(claim.label) && isStale(claim, now);
    if (!this.claims().some(isOld)) return;
    await this.#change((file) => {
      for (const claim of file.claims.filter(isOld)) claim.usedMs = now;
    });
  }

  /** Reads the file again when another process changed it. */
  async refresh(): Promise<void> {
    for (;;) {
      const generation = this.#generation;
      const text = await this.#options.files.read(this.#path);
      // What was taken during the read may be newer than what it found.
      if (generation === this.#generation) return this.#take(text);
    }
  }

  /** Looks twice a second until closed; `onProblem` hears of what cannot be read, and what was read stands. */
  watch(onProblem: (error: unknown) => void): Closable {
    const looking = [
      repeat(this.#options.clock, refreshMs, () => this.refresh().catch(onProblem)),
      repeat(this.#options.clock, reloadMs, () => this.reloadServer().catch(onProblem)),
    ];
    return { close: () => looking.forEach((timer) => timer.cancel()) };
  }

  #now(): number {
    return this.#options.clock.now();
  }

  #term(): { nowMs: number; connectorMs: number } {
    return { nowMs: this.#now(), connectorMs: this.#options.connectorMs ?? connectorDays * dayMs };
  }

  #spendable(file: EdgeFile, token: string): TokenRecord {
    return checkSpendable(token, findByToken(file.tokens, token), this.#now());
  }

  #claim(file: EdgeFile, label: string, id: string): Claim {
    const connector = connectorIn(file, id);
    const { domain, reserved = [] } = this.#options;
    return claimed({ label, connector, ...standing(file, label, id), nowMs: this.#now(), domain, reserved });
  }

  async #change(change: (file: EdgeFile) => void): Promise<void> {
    const text = await this.#options.files.update(this.#path, (old) => {
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
    const [connectors, claims] = [this.#connectors, this.#claims];
    this.#file = parseEdgeFile(text, this.#path);
    this.#text = text;
    this.#connectors = new Map(this.#file.connectors.map((connector) => [connector.id, connector]));
    this.#claims = new Map(this.#file.claims.map((claim) => [claim.label, claim]));
    for (const { id, revokedMs } of connectors.values()) {
      if (revokedMs === undefined && this.isRevoked(id)) this.#revoked.emit(id);
    }
    for (const { label, connector } of claims.values()) {
      if (this.ownerOf(label) !== connector) this.#moved.emit(label);
    }
  }

  #prune(file: EdgeFile): void {
    const now = this.#now();
    file.tokens = file.tokens.filter((token) => token.expiresMs > now);
    file.claims = file.claims.filter((claim) => isAlive(claim, now));
    file.connectors = file.connectors.filter((connector) => !isForgotten(connector, now));
  }
}

/** Until cancelled, with `everyMs` between the end of one and the next. */
function repeat(clock: Clock, everyMs: number, act: () => Promise<unknown>): TimerHandle {
  let isOver = false;
  let timer: TimerHandle;
  const later = (): void => {
    if (!isOver) timer = clock.after(everyMs, () => void act().then(later));
  };
  later();
  return {
    cancel() {
      isOver = true;
      timer.cancel();
    },
  };
}

const connectorIn = (file: EdgeFile, id: string): ConnectorRecord | undefined =>
  file.connectors.find((known) => known.id === id);

/** What the rules ask of the names: the label's own claim, and how many the connector has. */
function standing(file: EdgeFile, label: string, connector: string): { claim: Claim | undefined; owned: () => number } {
  return {
    claim: file.claims.find((claim) => claim.label === label),
    owned: () => file.claims.filter((claim) => claim.connector === connector).length,
  };
}

function put(file: EdgeFile, claim: Claim): void {
  const at = file.claims.findIndex(({ label }) => label === claim.label);
  file.claims.splice(at < 0 ? file.claims.length : at, 1, claim);
}
