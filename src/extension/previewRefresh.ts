// Asks the helper what a server offers, one question at a time for each server. Whatever becomes of it is shown in the
// tree, never thrown: a server that nobody agreed to run is a state of its row, not a failure.
import { errorInfo } from '../core/errors.ts';
import type { HelperLink } from './helperLink.ts';
import type { PreviewState } from './store.ts';

export type PreviewRefreshOptions = {
  helper: Pick<HelperLink, 'request' | 'report'>;
  folders: () => string[];
};

/** `again`: also where the same definition was asked before. `consent`: hash of the plan agreed to just now. */
export type Asked = { again?: boolean; consent?: string; signal?: AbortSignal };

export class PreviewRefresh {
  readonly #options: PreviewRefreshOptions;
  /** By server. */
  readonly #asking = new Map<string, Promise<void>>();

  constructor(options: PreviewRefreshOptions) {
    this.#options = options;
  }

  /** Resolves when the store has the answer to a question that is as new as this one. */
  refresh(server: string, asked: Asked = {}): Promise<void> {
    const before = this.#asking.get(server);
    if (before && !asked.again && asked.consent === undefined) return before;
    const asking = (before ? before.then(() => this.#ask(server, asked)) : this.#ask(server, asked)).finally(() => {
      if (this.#asking.get(server) === asking) this.#asking.delete(server);
    });
    this.#asking.set(server, asking);
    return asking;
  }

  async #ask(id: string, asked: Asked): Promise<void> {
    const { helper } = this.#options;
    const state = await this.#answer(id, asked);
    if (state) helper.report({ kind: 'preview', server: id, state });
  }

  /** `undefined` where a person did not want to wait: what was shown before stays. */
  async #answer(id: string, { again = false, consent, signal }: Asked): Promise<PreviewState | undefined> {
    const { helper, folders } = this.#options;
    try {
      const agreed = consent === undefined ? {} : { consent };
      const wanted = { server: { id, folders: folders() }, refresh: again, ...agreed };
      const { preview } = await helper.request('servers/preview', wanted, signal);
      return { kind: 'loaded', preview };
    } catch (error) {
      const info = errorInfo(error);
      if (signal?.aborted) return undefined;
      if (info.code === 'CONSENT_REQUIRED') return { kind: 'consent' };
      return info.code === 'UNTRUSTED_WORKSPACE' ? { kind: 'untrusted' } : { kind: 'failed', error: info };
    }
  }
}
