// What the nodes of an edge remember together: enrolment tokens, connectors, and who owns which label, in the registry
// that they share, by the same rules as an edge alone. Certificate authority and door key never leave the nodes' folders.
import { randomBytes } from 'node:crypto';
import type { Authority } from '../../certs/authority.ts';
import type { Clock } from '../../core/clock.ts';
import { Emitter, type Unsubscribe } from '../../core/emitter.ts';
import { TunnelError } from '../../core/errors.ts';
import { repeat } from '../../core/repeat.ts';
import type { Closable } from '../../core/lifetime.ts';
import { connectorDays, enrolled, maxConnectors, renewed } from '../connectorRules.ts';
import type { EdgeStore } from '../edgeAuthority.ts';
import type { Claim, ConnectorRecord, TokenRecord } from '../edgeRecords.ts';
import { isEnrolmentToken, tokenDigest } from '../enrolmentToken.ts';
import { claimed, isAlive, isStale, releasable, transferred } from '../labelRules.ts';
import { reloadMs, type ServerCertificate, type ServerIdentity } from '../serverIdentity.ts';
import {
  checkEnrollable,
  checkSpendable,
  makeToken,
  maxUnspentTokens,
  tokenId,
  unknownConnector,
  type TokenWish,
} from '../tokenRules.ts';
import { registryAway, type Records } from './records.ts';

const dayMs = 86_400_000;

export type ClusterStateOptions = {
  records: Records;
  authority: Authority;
  server: ServerIdentity;
  domain: string;
  clock: Clock;
  connectorMs?: number;
  reserved?: readonly string[];
};

export class ClusterState implements EdgeStore {
  readonly authority: Authority;
  readonly domain: string;
  readonly #options: ClusterStateOptions;
  readonly #records: Records;
  readonly #revoked = new Emitter<string>();
  readonly #moved = new Emitter<string>();
  /** Names by connector, so that a claim counts its own only. */
  readonly #owned = new Map<string, Set<string>>();
  /** The last claim of each connector that is not settled. */
  readonly #claiming = new Map<string, Promise<void>>();

  constructor(options: ClusterStateOptions) {
    this.authority = options.authority;
    this.domain = options.domain;
    this.#options = options;
    this.#records = options.records;
    this.#records.on('connector', ({ id, before }) => {
      if (before && before.revokedMs === undefined && this.isRevoked(id)) this.#revoked.emit(id);
    });
    this.#records.on('claim', ({ id, before, now }) => {
      if (before) this.#owned.get(before.connector)?.delete(id);
      if (now) this.#owned.set(now.connector, (this.#owned.get(now.connector) ?? new Set()).add(id));
      if (before && this.ownerOf(id) !== before.connector) this.#moved.emit(id);
    });
  }

  serverIdentity(): ServerCertificate {
    return this.#options.server.current();
  }

  async mintToken(wish: TokenWish = {}): Promise<{ token: string; id: string; expiresMs: number }> {
    const { token, record } = makeToken(wish, this.#now());
    const { connector } = wish;
    if (connector !== undefined) checkEnrollable(connector, await this.#records.read('connector', connector));
    if (this.tokens().length >= maxUnspentTokens) {
      throw new TunnelError('LIMIT', `there are ${maxUnspentTokens} unspent tokens: wait until some expire`);
    }
    await this.#records.change('token', record.digest, () => record);
    return { token, id: tokenId(record), expiresMs: record.expiresMs };
  }

  tokens(): readonly TokenRecord[] {
    return this.#records.all('token').filter((token) => token.expiresMs > this.#now());
  }

  async revokeToken(id: string): Promise<void> {
    const token = this.tokens().find((one) => tokenId(one) === id);
    if (!token) {
      throw new TunnelError('NOT_FOUND', `there is no unspent token ${id}; “mcp-tunnel edge token --list” lists them`);
    }
    await this.#records.change('token', token.digest, () => undefined);
  }

  async checkToken(token: string): Promise<void> {
    checkSpendable(token, await this.#tokenOf(token), this.#now());
  }

  /** Of nodes that are shown the same token at the same moment, one removes it; the others find it gone. */
  async spendToken(token: string): Promise<{ connector: string; labels?: string[]; expiresMs: number }> {
    const found = checkSpendable(token, await this.#tokenOf(token), this.#now());
    const again = found.connector === undefined ? undefined : await this.#records.read('connector', found.connector);
    if (!again && this.#records.count('connector') >= maxConnectors) {
      throw new TunnelError('LIMIT', `this edge knows ${maxConnectors} connectors: revoke some that are not used`);
    }
    const term = { ...this.#term(), id: randomBytes(12).toString('hex') };
    const { id } = enrolled(found, again, term); // It must not be refused once the token is gone.
    await this.#records.change('token', found.digest, (present) => {
      checkSpendable(token, present, this.#now());
      return undefined;
    });
    const connector = await this.#records.change('connector', id, (present) =>
      enrolled(found, present, { ...term, id }),
    );
    const { labels, expiresMs = 0 } = connector ?? {};
    return { connector: id, expiresMs, ...(labels ? { labels } : {}) };
  }

  async noteRenewal(id: string): Promise<{ expiresMs: number }> {
    const term = this.#term();
    const connector = await this.#records.change('connector', id, (present) => renewed(present, term));
    return { expiresMs: connector?.expiresMs ?? term.nowMs };
  }

  connectors(): readonly ConnectorRecord[] {
    return this.#records.all('connector');
  }

  claims(): readonly Claim[] {
    return this.#records.all('claim').filter((claim) => this.ownerOf(claim.label) !== undefined);
  }

  async revokeConnector(id: string): Promise<void> {
    await this.#records.change('connector', id, (present) => {
      if (!present) throw unknownConnector(id);
      return present.revokedMs === undefined ? { ...present, revokedMs: this.#now() } : present;
    });
    for (const label of this.#owned.get(id) ?? []) {
      await this.#records.change('claim', label, (present) => (present?.connector === id ? undefined : present));
    }
    for (const { digest, connector } of this.tokens()) {
      if (connector === id) await this.#records.change('token', digest, () => undefined);
    }
  }

  isRevoked(id: string): boolean {
    const connector = this.#records.get('connector', id);
    return connector === undefined || connector.revokedMs !== undefined;
  }

  certifiedUntilMs(id: string): number {
    return this.#records.get('connector', id)?.expiresMs ?? 0;
  }

  onRevoked(listener: (id: string) => void): Unsubscribe {
    return this.#revoked.on(listener);
  }

  onMoved(listener: (label: string) => void): Unsubscribe {
    return this.#moved.on(listener);
  }

  /** A revoked connector owns nothing, also while its claims are still there. */
  ownerOf(label: string): string | undefined {
    const claim = this.#records.get('claim', label);
    return claim && isAlive(claim, this.#now()) && !this.isRevoked(claim.connector) ? claim.connector : undefined;
  }

  /** One after the other: how many names a connector owns is known only once those before are written. */
  claimLabel(label: string, id: string): Promise<void> {
    const claiming = (this.#claiming.get(id) ?? Promise.resolve()).then(() => this.#claimLabel(label, id));
    const settled = claiming
      .catch(() => {}) // Whoever asked hears of it.
      .finally(() => {
        if (this.#claiming.get(id) === settled) this.#claiming.delete(id);
      });
    this.#claiming.set(id, settled);
    return claiming;
  }

  async #claimLabel(label: string, id: string): Promise<void> {
    const { domain, reserved = [] } = this.#options;
    const connector = this.#records.get('connector', id);
    await this.#records.change('claim', label, (present) => {
      const claim = this.#standing(label, present);
      return claimed({ label, connector, claim, owned: () => this.#ownedBy(id), nowMs: this.#now(), domain, reserved });
    });
  }

  async transferLabel(label: string, id: string): Promise<void> {
    const connector = await this.#records.read('connector', id);
    if (!connector) throw unknownConnector(id);
    await this.#records.change('claim', label, (present) => {
      const claim = this.#standing(label, present);
      return transferred({ label, connector, claim, owned: () => this.#ownedBy(id), nowMs: this.#now() });
    });
  }

  async releaseLabel(label: string): Promise<void> {
    await this.#records.change('claim', label, (present) => {
      releasable(label, present, this.#now());
      return undefined;
    });
  }

  async touchLabels(labels: readonly string[]): Promise<void> {
    const nowMs = this.#now();
    for (const label of labels) {
      const known = this.#records.get('claim', label);
      if (!known || !isStale(known, nowMs) || this.#records.problem !== undefined) continue;
      await this.#records.change('claim', label, (present) =>
        present && isStale(present, nowMs) ? { ...present, usedMs: nowMs } : present,
      );
    }
  }

  /** What other nodes change arrives by itself, as long as the registry is there. Throws `TIMEOUT`. */
  async refresh(): Promise<void> {
    if (this.#records.problem !== undefined) throw registryAway(this.#records.problem);
  }

  /** Reads a brought certificate again now and then. */
  watch(onProblem: (error: unknown) => void): Closable {
    return repeat(this.#options.clock, reloadMs, async () => {
      await this.reloadServer().catch(onProblem);
    });
  }

  /** True when another certificate is shown from now on. */
  reloadServer(): Promise<boolean> {
    return this.#options.server.reload();
  }

  /** A claim whose store was lost stands until it was written back; one of a revoked connector does not. */
  #standing(label: string, present: Claim | undefined): Claim | undefined {
    const claim = present ?? this.#records.get('claim', label);
    return claim && !this.isRevoked(claim.connector) ? claim : undefined;
  }

  async #tokenOf(token: string): Promise<TokenRecord | undefined> {
    return isEnrolmentToken(token) ? this.#records.read('token', tokenDigest(token)) : undefined;
  }

  #ownedBy(id: string): number {
    return this.#owned.get(id)?.size ?? 0;
  }

  #now(): number {
    return this.#options.clock.now();
  }

  #term(): { nowMs: number; connectorMs: number } {
    return { nowMs: this.#now(), connectorMs: this.#options.connectorMs ?? connectorDays * dayMs };
  }
}
