// Who may come in: grants, each with a name, a scope, an expiry and a token of which only the digest is kept. Several
// processes share the file: changes are made under its lock, and every process sees those of the others within a second.
import { timingSafeEqual } from 'node:crypto';
import type { Clock, TimerHandle } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import { formatGrants, maxDigests, newGrantSchema, parseGrants, type StoredGrant } from './grantFile.ts';
import { digest, looksLikeToken, mintToken, type RandomBytes } from './token.ts';

/** Serves every server of this user; in `servers`. */
export const anyServer = '*';

export type GrantScope = { servers: string[]; tools?: string[]; readOnly?: boolean };

export type Grant = {
  id: string;
  name: string;
  scope: GrantScope;
  createdMs: number;
  expiresMs: number;
  revokedMs?: number;
  /** How it came about, where an agent paired. */
  paired?: { client: string; redirectHost: string };
};

/** `expiresMs` is a moment (milliseconds since the epoch), not a duration. */
export type NewGrant = { name: string; servers: string[]; scope: Omit<GrantScope, 'servers'>; expiresMs: number };

export type Principal = { kind: 'grant' | 'oauth'; id: string; name: string; grant: string; scope: GrantScope };

/** `why` is for the audit log alone: an agent never hears which part was wrong. */
export type AuthResult =
  | { kind: 'principal'; principal: Principal; expiresMs: number }
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

type Entry = { grant: StoredGrant; sha256: Buffer; untilMs: number };

export class GrantStore {
  readonly #options: GrantStoreOptions;
  readonly #revoked = new Emitter<string>();
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

  /** A new token; the old ones work for `overlapMs` more at most. Throws `NOT_FOUND`, or `CONFLICT` for an ended grant. */
  async rotate(id: string, overlapMs: number): Promise<{ grant: Grant; token: string }> {
    const nowMs = this.#options.clock.now();
    const token = mintToken(this.#options.randomBytes);
    const grant = await this.#changeOne(id, (old) => {
      if (old.revokedMs !== undefined || old.expiresMs <= nowMs) {
        throw new TunnelError('CONFLICT', `the grant ${old.name} has ended; add a new one`);
      }
      if (old.paired) {
        throw new TunnelError(
          'CONFLICT',
          `${old.name} paired and renews its tokens itself; revoke it to end its access`,
        );
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
    if (token === undefined || !looksLikeToken(token)) return { kind: 'refused', why: 'malformed' };
    // Found by a digest whose preimage nobody can choose, then compared in constant time.
    const presented = digest(token);
    const entry = this.#byDigest.get(presented);
    if (!entry || !timingSafeEqual(entry.sha256, Buffer.from(presented, 'hex'))) {
      return { kind: 'refused', why: 'unknown' };
    }
    return this.#judge(entry, serverId);
  }

  /** Judges a grant whose holder was recognised otherwise. */
  judge(id: string, serverId: string): AuthResult {
    const grant = this.#grants.find((candidate) => candidate.id === id);
    return grant ? this.#judge({ grant, untilMs: Infinity }, serverId) : { kind: 'refused', why: 'unknown' };
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #add(wanted: NewGrant, proof: Pick<StoredGrant, 'digests' | 'paired'>): Promise<Grant> {
    const { name, servers, scope, expiresMs } = checked(wanted);
    const nowMs = this.#options.clock.now();
    if (expiresMs <= nowMs) throw new TunnelError('USAGE', 'a grant must end in the future');
    const id = `g_${Buffer.from(this.#options.randomBytes(8)).toString('hex')}`;
    const added = { id, name, scope: { servers, ...scope }, createdMs: nowMs, expiresMs, ...proof };
    await this.#change((grants) => [...grants, added]);
    return described(added);
  }

  #judge({ grant, untilMs }: Pick<Entry, 'grant' | 'untilMs'>, serverId: string): AuthResult {
    const nowMs = this.#options.clock.now();
    const { id, name, scope } = grant;
    if (grant.revokedMs !== undefined) return { kind: 'refused', why: 'revoked' };
    const expiresMs = Math.min(grant.expiresMs, untilMs);
    if (expiresMs <= nowMs) return { kind: 'refused', why: 'expired' };
    if (!scope.servers.includes(anyServer) && !scope.servers.includes(serverId)) {
      return { kind: 'refused', why: 'other-server' };
    }
    const kind = grant.paired ? 'oauth' : 'grant';
    const principal: Principal = { kind, id, name, grant: id, scope: described(grant).scope };
    return { kind: 'principal', principal, expiresMs };
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
    const before = this.#grants.filter((grant) => grant.revokedMs === undefined);
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
    const alive = new Set(grants.filter((grant) => grant.revokedMs === undefined).map((grant) => grant.id));
    for (const { id } of before) if (!alive.has(id)) this.#revoked.emit(id);
  }

  #poll(): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(this.#options.pollMs ?? 500, () => {
      void this.refresh().then(() => this.#poll());
    });
  }
}

function checked(wanted: NewGrant): NewGrant {
  const result = newGrantSchema.safeParse(wanted);
  if (result.success) return wanted;
  const issue = result.error.issues[0];
  throw new TunnelError(
    'USAGE',
    `the grant’s ${issue?.path.join('.') ?? 'description'} is not usable: ${issue?.message}`,
  );
}

function described(grant: StoredGrant): Grant {
  const { servers, tools, readOnly } = grant.scope;
  return {
    id: grant.id,
    name: grant.name,
    scope: {
      servers: [...servers],
      ...(tools === undefined ? {} : { tools: [...tools] }),
      ...(readOnly === undefined ? {} : { readOnly }),
    },
    createdMs: grant.createdMs,
    expiresMs: grant.expiresMs,
    ...(grant.revokedMs === undefined ? {} : { revokedMs: grant.revokedMs }),
    ...(grant.paired === undefined ? {} : { paired: { ...grant.paired } }),
  };
}
