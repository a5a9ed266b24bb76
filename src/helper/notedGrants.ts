// Changes of grants as drivers ask for them: done in the file that all processes share, and told to the audit log.
import type { GrantChange, GrantStore, NewGrant } from '../identity/grants.ts';
import { secretPath } from '../identity/way.ts';
import type { GrantInfo, NewWay } from '../protocol/control.ts';
import type { AuditNotes } from './auditNotes.ts';

export type NotedGrantsOptions = {
  store: GrantStore;
  notes: Pick<AuditNotes, 'grant'>;
  /** A text that must not appear in what the inspector shows. */
  hide: (secret: string) => void;
};

/** Each throws as the verb of {@link GrantStore} of the same name. */
export class NotedGrants {
  readonly #store: GrantStore;
  readonly #options: NotedGrantsOptions;

  constructor(options: NotedGrantsOptions) {
    this.#store = options.store;
    this.#options = options;
  }

  list(): GrantInfo[] {
    return this.#store.list();
  }

  async add(wanted: NewGrant): Promise<{ grant: GrantInfo; token: string }> {
    return this.#minted('added', await this.#store.add(wanted));
  }

  /** `path` is what an agent's URL has in place of `/mcp`, where a secret in it is the way. */
  async addWay(wanted: NewGrant, way: NewWay): Promise<{ grant: GrantInfo; path?: string }> {
    const { grant, secret } = await this.#store.addWay(wanted, way);
    if (secret !== undefined) this.#options.hide(secret);
    await this.#options.notes.grant('added', grant);
    return { grant, ...(secret === undefined ? {} : { path: secretPath(secret) }) };
  }

  /** The old token text works for `overlapMs` more. */
  async rotate(id: string, overlapMs: number): Promise<{ grant: GrantInfo; token: string }> {
    return this.#minted('rotated', await this.#store.rotate(id, overlapMs));
  }

  async change(id: string, wanted: GrantChange): Promise<GrantInfo> {
    const grant = await this.#store.change(id, wanted);
    await this.#options.notes.grant('changed', grant);
    return grant;
  }

  async revoke(id: string): Promise<GrantInfo> {
    const grant = await this.#store.revoke(id);
    await this.#options.notes.grant('revoked', grant);
    return grant;
  }

  async #minted(
    event: 'added' | 'rotated',
    minted: { grant: GrantInfo; token: string },
  ): Promise<{ grant: GrantInfo; token: string }> {
    this.#options.hide(minted.token);
    await this.#options.notes.grant(event, minted.grant);
    return minted;
  }
}
