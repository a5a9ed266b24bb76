// Who may come in: grants, each with a name, a scope, an expiry and a token of which only the digest is kept. Several
// processes share the file: changes are made under its lock, and every process sees those of the others within a second.
import { timingSafeEqual } from 'node:crypto';
import type { z } from 'zod';
import type { Clock, TimerHandle } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import { storedWay } from './clientAuthority.ts';
import {
  formatGrants,
  grantChangeSchema,
  maxDigests,
  newGrantSchema,
  parseGrants,
  type StoredGrant,
} from './grantFile.ts';
import { copyScope, type GrantScope, type Scope } from './grantScope.ts';
import { holderOf, type Judged } from './holder.ts';
import { digest, looksLikeToken, mintToken, pathSecretPrefix, tokenPrefix, type RandomBytes } from './token.ts';
import { describedWay, newWaySchema, type NewWay, type Way } from './way.ts';

/** Serves every server of this user; in `servers`. */
export const anyServer = '*';

export type Grant = {
  id: string;
  name: string;
  scope: GrantScope;
  createdMs: number;
  expiresMs: number;
  revokedMs?: number;
  /** How it came about, where an agent paired. */
  paired?: { client: string; redirectHost: string };
  /** How it is recognised, where not by a token of ours. */
  way?: Way;
};

/** `expiresMs` is a moment (milliseconds since the epoch), not a duration. */
export type NewGrant = { name: string; servers: string[]; scope: Scope; expiresMs: number };

/**
 * What stands in place of what the grant says; what is absent stays, also its `servers` in a new scope. `before` is the
 * scope that somebody looked at when they chose the new one.
 */
export type GrantChange = { scope?: Scope & { servers?: string[] }; expiresMs?: number; before?: GrantScope };

/** Several may come by one grant, where an authority or an issuer says who they are: `subject` is what it says. */
export type Principal = {
  kind: 'grant' | 'oauth' | Way['kind'];
  id: string;
  name: string;
  grant: string;
  scope: GrantScope;
  subject?: string;
};

/** By what somebody was recognised, so that it can be judged again while an exchange is open. Never leaves the process. */
export type Proof = {
  readonly grant: string;
  readonly sha256?: string;
  readonly subject?: string;
  readonly untilMs?: number;
};

/** `why` is for the audit log alone: an agent never hears which part was wrong. */
export type AuthResult =
  | { kind: 'principal'; principal: Principal; expiresMs: number; proof: Proof }
  | {
      kind: 'refused';
      why: 'missing' | 'malformed' | 'unknown' | 'expired' | 'revoked' | 'other-server' | 'other-resource';
    };

export type GrantStoreOptions = {
  files: PrivateFiles;
  path: string;
  clock: Clock;
  randomBytes: RandomBytes;
  /** How often the file is looked at for changes of other processes. */
  pollMs?: number;
};

type Entry = Judged & { sha256: Buffer };

export class GrantStore {
  readonly #options: GrantStoreOptions;
  readonly #revoked = new Emitter<string>();
  readonly #altered = new Emitter<string>();
  readonly #changed = new Emitter<void>();
  #grants: StoredGrant[] = [];
  #byDigest = new Map<string, Entry>();
  #text: string | undefined;
  /** Counts our own changes: what was read before one of them is old by the time it arrives. */
  #changes = 0;
  #problem: TunnelError | undefined;
  #timer: TimerHandle | undefined;
  #closed = false;

  constructor(options: GrantStoreOptions) {
    this.#options = options;
  }

  /** Called with the id of a grant that just lost its power: revoked here or elsewhere, removed, or unreadable. */
  readonly onRevoked = this.#revoked.on;

  /**
   * Called with the id of a grant that still lives and whose scope, end or tokens became others, here or elsewhere: who
   * holds something open for it asks {@link judgeAgain}.
   */
  readonly onChanged = this.#altered.on;

  /** Called when {@link list} gives another answer, whoever caused it. */
  readonly onChange = this.#changed.on;

  /** Why nobody is let in at the moment, if the file cannot be read. */
  get problem(): TunnelError | undefined {
    return this.#problem;
  }

  /** Throws `CONFIG_INVALID` or `STATE_UNWRITABLE`; nothing authenticates then, until the file is repaired. */
  async load(): Promise<void> {
    await this.refresh();
    this.#poll();
    if (this.#problem) throw this.#problem;
  }

  /** Reads what another process may have changed. Never throws: see {@link problem}. */
  async refresh(): Promise<void> {
    const { files, path } = this.#options;
    const changes = this.#changes;
    try {
      const text = await files.read(path);
      if (changes !== this.#changes) return;
      if (text !== this.#text || this.#problem) this.#take(text, parseGrants(text, path));
    } catch (error) {
      this.#take(undefined, []);
      this.#problem = error instanceof TunnelError ? error : new TunnelError('INTERNAL', String(error));
    }
  }

  /** The token's text is given here and never again. Throws `USAGE`, `LIMIT`, `CONFIG_INVALID`, `STATE_UNWRITABLE`. */
  async add(wanted: NewGrant): Promise<{ grant: Grant; token: string }> {
    const token = mintToken(this.#options.randomBytes);
    return { grant: await this.#add(wanted, { digests: [{ sha256: digest(token) }] }), token };
  }

  /** For an agent that paired: it has no token here. Throws as {@link add}. */
  addPaired(wanted: NewGrant, paired: NonNullable<Grant['paired']>): Promise<Grant> {
    return this.#add(wanted, { paired, digests: [] });
  }

  /** For an agent without a token: `secret` is the part of the path, where that is the way. Throws as {@link add}. */
  async addWay(wanted: NewGrant, way: NewWay): Promise<{ grant: Grant; secret?: string }> {
    const stored = storedWay(checked(newWaySchema, way), this.#options.clock.now());
    if (stored.kind !== 'path-secret') return { grant: await this.#add(wanted, { way: stored, digests: [] }) };
    const secret = mintToken(this.#options.randomBytes, pathSecretPrefix);
    return { grant: await this.#add(wanted, { way: stored, digests: [{ sha256: digest(secret) }] }), secret };
  }

  /** A new token; the old ones work for `overlapMs` more at most. Throws `NOT_FOUND`, or `CONFLICT` for an ended grant. */
  async rotate(id: string, overlapMs: number): Promise<{ grant: Grant; token: string }> {
    const nowMs = this.#options.clock.now();
    let token = '';
    const grant = await this.#changeOne(id, (old) => {
      demandLive(old, nowMs);
      token = mintToken(this.#options.randomBytes, old.way && pathSecretPrefix);
      if (old.way && old.way.kind !== 'path-secret') {
        throw new TunnelError('CONFLICT', `${old.name} has no token here: its proof is renewed by whoever signs it`);
      }
      if (old.paired) {
        throw new TunnelError('CONFLICT', `${old.name} paired and renews its tokens itself; revoke it instead`);
      }
      const overlap = old.digests
        .map(({ sha256, untilMs = Infinity }) => ({
          sha256,
          untilMs: Math.min(untilMs, nowMs + Math.max(0, overlapMs)),
        }))
        .filter(({ untilMs }) => untilMs > nowMs);
      return { ...old, digests: [{ sha256: digest(token) }, ...overlap.slice(0, maxDigests - 1)] };
    });
    return { grant: described(grant), token };
  }

  /**
   * Puts another scope or another end in place of the old, at once. What is wider than the policy gives no more than the
   * policy. Throws `NOT_FOUND`, `USAGE`, `CONFLICT` for an ended grant and for one that is no longer as in `before`: what
   * another window narrowed meanwhile must not come back.
   */
  async change(id: string, wanted: GrantChange): Promise<Grant> {
    const { scope, expiresMs, before } = checked(grantChangeSchema, wanted);
    const nowMs = this.#options.clock.now();
    if (expiresMs !== undefined) demandFuture(expiresMs, nowMs);
    const grant = await this.#changeOne(id, (old) => {
      demandLive(old, nowMs);
      demandSeen(old, before);
      return {
        ...old,
        scope: scope ? { ...scope, servers: scope.servers ?? old.scope.servers } : old.scope,
        expiresMs: expiresMs ?? old.expiresMs,
      };
    });
    return described(grant);
  }

  /** Takes effect at once; a second time changes nothing. Throws `NOT_FOUND`. */
  async revoke(id: string): Promise<Grant> {
    const nowMs = this.#options.clock.now();
    return described(await this.#changeOne(id, (old) => ({ ...old, revokedMs: old.revokedMs ?? nowMs })));
  }

  list(): Grant[] {
    return this.#grants.map(described);
  }

  /** Judges an `Authorization` header (RFC 6750 §2.1) for one server. */
  authenticate(authorization: string | undefined, serverId: string): AuthResult {
    if (authorization === undefined) return { kind: 'refused', why: 'missing' };
    const token = /^bearer +([^ ]+) *$/i.exec(authorization)?.[1];
    return this.#authenticate(token, tokenPrefix, serverId);
  }

  /** Judges the secret of a path for one server. */
  authenticatePath(secret: string, serverId: string): AuthResult {
    return this.#authenticate(secret, pathSecretPrefix, serverId);
  }

  #authenticate(text: string | undefined, prefix: string, serverId: string): AuthResult {
    if (text === undefined || !looksLikeToken(text, prefix)) return { kind: 'refused', why: 'malformed' };
    // Found by a digest whose preimage nobody can choose, then compared in constant time.
    const presented = digest(text);
    const entry = this.#byDigest.get(presented);
    if (!entry || !timingSafeEqual(entry.sha256, Buffer.from(presented, 'hex'))) {
      return { kind: 'refused', why: 'unknown' };
    }
    return this.#judge(entry, serverId);
  }

  /** Grants that somebody may come in by just now, oldest first. */
  live(serverId: string): StoredGrant[] {
    return this.#grants.filter((grant) => this.#judge({ grant, untilMs: Infinity }, serverId).kind === 'principal');
  }

  /** Judges a grant whose holder was recognised otherwise. */
  judge(id: string, serverId: string, { subject, untilMs = Infinity }: Omit<Proof, 'grant'> = {}): AuthResult {
    const grant = this.#grants.find((candidate) => candidate.id === id);
    if (!grant) return { kind: 'refused', why: 'unknown' };
    return this.#judge({ grant, untilMs, ...(subject === undefined ? {} : { subject }) }, serverId);
  }

  /**
   * Judges once more what was let in before, by the grant as it is now: another scope, another end, a token in its
   * overlap (`expiresMs` says until when) or past it.
   */
  judgeAgain({ grant, sha256, ...signed }: Proof, serverId: string): AuthResult {
    const entry = sha256 === undefined ? undefined : this.#byDigest.get(sha256);
    if (entry) return this.#judge(entry, serverId);
    const result = this.judge(grant, serverId, signed);
    // Its grant lives, but its token is no longer one of the grant's.
    return sha256 === undefined || result.kind === 'refused' ? result : { kind: 'refused', why: 'expired' };
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #add(wanted: NewGrant, proof: Pick<StoredGrant, 'digests' | 'paired' | 'way'>): Promise<Grant> {
    const { name, servers, scope, expiresMs } = checked(newGrantSchema, wanted);
    const nowMs = this.#options.clock.now();
    demandFuture(expiresMs, nowMs);
    const id = `g_${Buffer.from(this.#options.randomBytes(8)).toString('hex')}`;
    const added = { id, name, scope: { servers, ...scope }, createdMs: nowMs, expiresMs, ...proof };
    await this.#change((grants) => [...grants, added]);
    return described(added);
  }

  #judge(judged: Judged, serverId: string): AuthResult {
    const { grant, untilMs } = judged;
    const { scope } = grant;
    if (grant.revokedMs !== undefined) return { kind: 'refused', why: 'revoked' };
    const expiresMs = Math.min(grant.expiresMs, untilMs);
    if (expiresMs <= this.#options.clock.now()) return { kind: 'refused', why: 'expired' };
    if (!scope.servers.includes(anyServer) && !scope.servers.includes(serverId)) {
      return { kind: 'refused', why: 'other-server' };
    }
    judged.holder ??= holderOf(judged);
    const { principal, proof } = judged.holder;
    return { kind: 'principal', principal, expiresMs, proof };
  }

  async #changeOne(id: string, change: (old: StoredGrant) => StoredGrant): Promise<StoredGrant> {
    let changed: StoredGrant | undefined;
    await this.#change(
      (grants) =>
        grants.map((grant) => {
          if (grant.id !== id) return grant;
          changed = change(grant);
          return changed;
        }),
      () => changed !== undefined,
    );
    return changed!; // `#change` has thrown otherwise.
  }

  async #change(change: (grants: StoredGrant[]) => StoredGrant[], found: () => boolean = () => true): Promise<void> {
    const { files, path, clock } = this.#options;
    const text = await files.update(path, (old) => {
      const grants = change(parseGrants(old, path));
      if (!found()) throw new TunnelError('NOT_FOUND', 'there is no such grant; see mcp-tunnel agents list');
      return formatGrants(grants, clock.now());
    });
    this.#changes += 1;
    this.#take(text, parseGrants(text, path));
  }

  #take(text: string | undefined, grants: StoredGrant[]): void {
    const before = this.#grants;
    this.#text = text;
    this.#problem = undefined;
    this.#grants = grants;
    this.#byDigest = new Map(
      grants.flatMap((grant) =>
        grant.digests.map(({ sha256, untilMs = Infinity }): [string, Entry] => [
          sha256,
          { grant, sha256: Buffer.from(sha256, 'hex'), untilMs },
        ]),
      ),
    );
    this.#tell(before, grants);
  }

  #tell(before: readonly StoredGrant[], now: readonly StoredGrant[]): void {
    const alive = new Map(now.flatMap((grant) => (grant.revokedMs === undefined ? [[grant.id, grant]] : [])));
    for (const old of before) {
      const { id } = old;
      const grant = alive.get(id);
      if (!grant && old.revokedMs === undefined) this.#revoked.emit(id);
      else if (grant && !isSame(old, grant)) this.#altered.emit(id);
    }
    if (!isSame(before.map(described), now.map(described))) this.#changed.emit();
  }

  #poll(): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(this.#options.pollMs ?? 500, () => {
      void this.refresh().then(() => this.#poll());
    });
  }
}

function checked<T>(schema: z.ZodType, wanted: T): T {
  const result = schema.safeParse(wanted);
  if (result.success) return wanted;
  const issue = result.error.issues[0];
  throw new TunnelError(
    'USAGE',
    `the grant’s ${issue?.path.join('.') || 'description'} is not usable: ${issue?.message}`,
  );
}

function demandFuture(expiresMs: number, nowMs: number): void {
  if (expiresMs <= nowMs) throw new TunnelError('USAGE', 'a grant must end in the future');
}

function demandSeen({ name, scope }: StoredGrant, before: GrantChange['before']): void {
  if (!before || isSame(copyScope(scope), copyScope(before))) return;
  throw new TunnelError('CONFLICT', `${name} was changed elsewhere meanwhile; look at it again`);
}

function demandLive({ name, revokedMs, expiresMs }: StoredGrant, nowMs: number): void {
  if (revokedMs === undefined && expiresMs > nowMs) return;
  throw new TunnelError('CONFLICT', `the grant ${name} has ended; add a new one`);
}

/** What was read from files has its keys in the order of the schema. */
function isSame(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

function described(grant: StoredGrant): Grant {
  const { id, name, scope, createdMs, expiresMs, revokedMs, paired, way } = grant;
  return {
    id,
    name,
    scope: copyScope(scope),
    createdMs,
    expiresMs,
    ...(revokedMs === undefined ? {} : { revokedMs }),
    ...(paired === undefined ? {} : { paired: { ...paired } }),
    ...(way === undefined ? {} : { way: describedWay(way) }),
  };
}
