// What one tunnel's authorization server remembers. Tokens and codes are known by their digest alone. What was granted
// is written down before anybody is told of it; what strangers can cause (registrations, requests under way) stays in
// memory, bounded, and is forgotten with the process.
import type { Clock } from '../../core/clock.ts';
import type { JsonValue } from '../../core/json.ts';
import type { PrivateFiles } from '../../core/files.ts';
import { digest } from '../token.ts';
import { parseOAuthFile, withTunnel, type OAuthRecord } from './oauthStateFile.ts';

export type OAuthModel =
  | 'Client'
  | 'Grant'
  | 'AccessToken'
  | 'RefreshToken'
  | 'AuthorizationCode'
  | 'Session'
  | 'Interaction';

export type OAuthPayload = { [key: string]: JsonValue };

/** Records of each kind; at the bound the oldest makes room. */
export const maxOf: Readonly<Record<OAuthModel, number>> = {
  Client: 200,
  Grant: 20,
  AccessToken: 100,
  RefreshToken: 400,
  AuthorizationCode: 100,
  Session: 200,
  Interaction: 100,
};

/** Tokens of one grant, so that a busy agent cannot push out another one's. Used refresh tokens count: they prove theft. */
export const maxPerGrant: Partial<Record<OAuthModel, number>> = { AccessToken: 5, RefreshToken: 20 };

const SECRET: ReadonlySet<OAuthModel> = new Set<OAuthModel>([
  'AccessToken',
  'RefreshToken',
  'AuthorizationCode',
  'Session',
]);
const KEPT: ReadonlySet<OAuthModel> = new Set<OAuthModel>(['Grant', 'AccessToken', 'RefreshToken']);

type Entry = { model: OAuthModel; key: string; grant?: string; exp?: number; consumed?: number; payload: OAuthPayload };

export type OAuthStateOptions = {
  files: PrivateFiles;
  path: string;
  /** The tunnel's id that survives a restart. */
  instance: string;
  clock: Clock;
  /** `unknown` while the grants cannot be read: then nobody is let in, and nothing is forgotten. */
  stateOf: (grant: string) => 'alive' | 'ended' | 'unknown';
  /** Whether a person is looking at this request just now: it must not make room for others. */
  isPending: (interaction: string) => boolean;
};

export class OAuthState {
  readonly #options: OAuthStateOptions;
  /** By model, then by key, oldest first. */
  readonly #tables = new Map<OAuthModel, Map<string, Entry>>();
  #writing: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;

  constructor(options: OAuthStateOptions) {
    this.#options = options;
  }

  /** Throws `CONFIG_INVALID` or `STATE_UNWRITABLE`. */
  async load(): Promise<void> {
    const { files, path, instance } = this.#options;
    const stored = parseOAuthFile(await files.read(path), path).find((tunnel) => tunnel.instance === instance);
    for (const record of stored?.records ?? []) this.#put(record as Entry);
    this.#sweep();
  }

  find(model: OAuthModel, id: string): OAuthPayload | undefined {
    const entry = this.#table(model).get(keyOf(model, id));
    if (!entry || this.#isOver(entry) || this.#ownerOf(entry) !== 'alive') return undefined;
    const { payload, consumed } = entry;
    // A token's text is not kept: whoever knows the digest's origin brings it along.
    return { ...payload, ...(SECRET.has(model) ? { jti: id } : {}), ...(consumed === undefined ? {} : { consumed }) };
  }

  findSession(uid: string): OAuthPayload | undefined {
    return [...this.#table('Session').values()].find((entry) => entry.payload['uid'] === uid && !this.#isOver(entry))
      ?.payload;
  }

  /** Resolves when it is written down, where it is of a kind that is. */
  async put(model: OAuthModel, id: string, { jti, ...payload }: OAuthPayload, expiresInS?: number): Promise<void> {
    const grant = payload['grantId'];
    const kept = SECRET.has(model) || jti === undefined ? payload : { ...payload, jti };
    this.#put({
      model,
      key: keyOf(model, id),
      ...(typeof grant === 'string' ? { grant } : {}),
      ...(expiresInS === undefined ? {} : { exp: Math.floor(this.#options.clock.now() / 1000) + expiresInS }),
      payload: kept,
    });
    if (KEPT.has(model)) await this.#write();
  }

  /** False when it was used before, or is not there: of two at once one wins. */
  async consume(model: OAuthModel, id: string): Promise<boolean> {
    const entry = this.#table(model).get(keyOf(model, id));
    if (!entry || entry.consumed !== undefined) return false;
    entry.consumed = Math.floor(this.#options.clock.now() / 1000);
    if (KEPT.has(model)) await this.#write();
    return true;
  }

  async remove(model: OAuthModel, id: string): Promise<void> {
    if (this.#table(model).delete(keyOf(model, id)) && KEPT.has(model)) await this.#write();
  }

  /** Everything that was issued under a grant. */
  async removeGrant(grant: string): Promise<void> {
    for (const table of this.#tables.values())
      for (const [key, entry] of table) if (entry.grant === grant) table.delete(key);
    this.#table('Grant').delete(grant);
    await this.#write();
  }

  #table(model: OAuthModel): Map<string, Entry> {
    const table = this.#tables.get(model) ?? new Map<string, Entry>();
    this.#tables.set(model, table);
    return table;
  }

  #put(entry: Entry): void {
    const table = this.#table(entry.model);
    table.delete(entry.key);
    table.set(entry.key, entry);
    const perGrant = maxPerGrant[entry.model];
    if (perGrant !== undefined && entry.grant !== undefined) {
      const siblings = [...table.values()].filter(({ grant }) => grant === entry.grant);
      for (const { key } of siblings.slice(0, Math.max(0, siblings.length - perGrant))) table.delete(key);
    }
    if (table.size <= maxOf[entry.model]) return;
    this.#sweep();
    const spared = this.#spared(entry.model);
    for (const key of table.keys()) {
      if (table.size <= maxOf[entry.model]) break;
      if (!spared.has(key) && key !== entry.key) table.delete(key);
    }
  }

  /** What strangers' requests must not push out. */
  #spared(model: OAuthModel): ReadonlySet<string> {
    const pending = [...this.#table('Interaction').values()].filter(({ key }) => this.#options.isPending(key));
    if (model === 'Interaction') return new Set(pending.map(({ key }) => key));
    if (model !== 'Client') return new Set();
    const asking = pending.map(({ payload }) => (payload['params'] as OAuthPayload)['client_id'] as string);
    return new Set([...asking, ...this.#grantedClients()]);
  }

  #grantedClients(): Set<string> {
    return new Set([...this.#table('Grant').values()].map(({ payload }) => payload['clientId'] as string));
  }

  #sweep(): void {
    for (const table of this.#tables.values())
      for (const [key, entry] of table) if (this.#isOver(entry) || this.#ownerOf(entry) === 'ended') table.delete(key);
  }

  #isOver({ exp }: Entry): boolean {
    return exp !== undefined && exp * 1000 <= this.#options.clock.now();
  }

  #ownerOf({ model, key, grant }: Entry): 'alive' | 'ended' | 'unknown' {
    const owner = model === 'Grant' ? key : grant;
    return owner === undefined ? 'alive' : this.#options.stateOf(owner);
  }

  /** One write at a time; those that come meanwhile share the next one. */
  #write(): Promise<void> {
    this.#queued ??= this.#writing
      .catch(() => {})
      .then(() => {
        this.#queued = undefined;
        this.#writing = this.#writeNow();
        return this.#writing;
      });
    return this.#queued;
  }

  async #writeNow(): Promise<void> {
    const { files, path, instance, clock } = this.#options;
    this.#sweep();
    const used = this.#grantedClients();
    const records = [...this.#tables.values()]
      .flatMap((table) => [...table.values()])
      .filter(({ model, key }) => KEPT.has(model) || (model === 'Client' && used.has(key))) as OAuthRecord[];
    await files.update(path, (text) => withTunnel(text, path, { instance, usedMs: clock.now(), records }));
  }
}

function keyOf(model: OAuthModel, id: string): string {
  return SECRET.has(model) ? digest(id) : id;
}
