// The texts of the tokens that were minted from this editor, for copying: in the system's secret storage, one key for
// each grant, deleted when the grant is gone. The helper itself holds only digests.
import type { GrantInfo } from '../protocol/control.ts';
import type { Memory } from './rememberedTunnels.ts';

/** The part of VS Code's `SecretStorage` that is needed. */
export type Secrets = {
  get(key: string): PromiseLike<string | undefined>;
  store(key: string, value: string): PromiseLike<void>;
  delete(key: string): PromiseLike<void>;
};

type Minted = { grant: string; server: string };

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

  async keep(server: string, grant: GrantInfo, token: string): Promise<void> {
    await this.#secrets.store(secretKey(grant.id), token);
    const others = this.#minted.filter((minted) => minted.grant !== grant.id);
    await this.#index.update(indexKey, [...others, { grant: grant.id, server }]);
  }

  /** Text of the newest grant for a server that still works at `nowMs`. */
  async find(server: string, grants: readonly GrantInfo[], nowMs: number): Promise<string | undefined> {
    const usable = new Set(grants.filter((grant) => isUsable(grant, nowMs)).map(({ id }) => id));
    const own = this.#minted.filter((minted) => minted.server === server && usable.has(minted.grant));
    for (const { grant } of own.toReversed()) {
      const token = await this.#secrets.get(secretKey(grant));
      if (token) return token;
    }
    return undefined;
  }

  /** Deletes the texts whose grant was revoked, has expired or is unknown to the helper. */
  async prune(grants: readonly GrantInfo[], nowMs: number): Promise<void> {
    const usable = new Set(grants.filter((grant) => isUsable(grant, nowMs)).map(({ id }) => id));
    const gone = this.#minted.filter(({ grant }) => !usable.has(grant));
    if (gone.length === 0) return;
    for (const { grant } of gone) await this.#secrets.delete(secretKey(grant));
    await this.#index.update(
      indexKey,
      this.#minted.filter(({ grant }) => usable.has(grant)),
    );
  }

  get #minted(): Minted[] {
    return (this.#index.get(indexKey) as Minted[] | undefined) ?? [];
  }
}

function isUsable(grant: GrantInfo, nowMs: number): boolean {
  return grant.revokedMs === undefined && grant.expiresMs > nowMs;
}
