// The texts of the tokens that were minted from this editor, for copying: in the system's secret storage, one key for
// each grant, deleted when the grant is gone. The helper itself holds only digests.
import type { GrantInfo } from '../protocol/control.ts';
import { isLive } from './grantWords.ts';
import type { Memory } from './rememberedTunnels.ts';

/** The part of VS Code's `SecretStorage` that is needed. */
export type Secrets = {
  get(key: string): PromiseLike<string | undefined>;
  store(key: string, value: string): PromiseLike<void>;
  delete(key: string): PromiseLike<void>;
};

type Minted = { grant: string; server: string };

/** In a grant's servers: all of them. */
const anyServer = '*';
/** In place of a server: held for a use of its own, and not to be handed to agents. */
const aside = '';
const indexKey = 'mcpTunnel.minted';
const secretKey = (grant: string): string => `grant/${grant}`;

export class Tokens {
  readonly #secrets: Secrets;
  readonly #index: Memory;

  /** `index` says which grants there is a text for; it holds no secret. */
  constructor(secrets: Secrets, index: Memory) {
    this.#secrets = secrets;
    this.#index = index;
  }

  /** In place of an older text of the same grant; one that is set aside stays so. */
  async keep(grant: GrantInfo, token: string): Promise<void> {
    const isAside = this.#minted.some((minted) => minted.grant === grant.id && minted.server === aside);
    await this.#put(grant.id, token, isAside ? [aside] : grant.scope.servers);
  }

  /** Of a grant that is none of an agent's: it is not among the usable ones, and so never copied for one. */
  async setAside(grant: GrantInfo, token: string): Promise<void> {
    await this.#put(grant.id, token, [aside]);
  }

  async #put(grant: string, token: string, servers: readonly string[]): Promise<void> {
    await this.#secrets.store(secretKey(grant), token);
    const others = this.#minted.filter((minted) => minted.grant !== grant);
    await this.#index.update(indexKey, [...others, ...servers.map((server) => ({ grant, server }))]);
  }

  holds(grant: string): boolean {
    return this.#minted.some((minted) => minted.grant === grant);
  }

  /** Text of one grant; `undefined` where it was minted elsewhere. */
  async of(grant: string): Promise<string | undefined> {
    return this.holds(grant) ? this.#secrets.get(secretKey(grant)) : undefined;
  }

  async forget(grant: string): Promise<void> {
    await this.#secrets.delete(secretKey(grant));
    await this.#index.update(
      indexKey,
      this.#minted.filter((minted) => minted.grant !== grant),
    );
  }

  /** The grants for a server that still work at `nowMs` and whose text is here; the newest first. */
  usable(server: string, grants: readonly GrantInfo[], nowMs: number): GrantInfo[] {
    const serves = (minted: Minted): boolean => minted.server === server || minted.server === anyServer;
    const held = this.#minted.filter(serves).map(({ grant }) => grant);
    const live = new Map(grants.filter((grant) => isLive(grant, nowMs)).map((grant) => [grant.id, grant]));
    return [...new Set(held.toReversed())].flatMap((id) => live.get(id) ?? []);
  }

  /** Deletes the texts whose grant was revoked, has expired or is unknown to the helper. */
  async prune(grants: readonly GrantInfo[], nowMs: number): Promise<void> {
    const usable = new Set(grants.filter((grant) => isLive(grant, nowMs)).map(({ id }) => id));
    const gone = this.#minted.filter(({ grant }) => !usable.has(grant));
    if (gone.length === 0) return;
    for (const grant of new Set(gone.map((minted) => minted.grant))) await this.#secrets.delete(secretKey(grant));
    await this.#index.update(
      indexKey,
      this.#minted.filter(({ grant }) => usable.has(grant)),
    );
  }

  get #minted(): Minted[] {
    return (this.#index.get(indexKey) as Minted[] | undefined) ?? [];
  }
}
