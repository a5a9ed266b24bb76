// Asks a tunnel's server for its tools and who may use them, one question at a time for each tunnel. What was shown
// once is asked again when a grant changes; the answer before stays on the screen meanwhile.
import { errorInfo } from '../core/errors.ts';
import type { HelperLink } from './helperLink.ts';
import type { Store } from './store.ts';

export type ToolRefreshOptions = {
  helper: Pick<HelperLink, 'request' | 'report'>;
  store: Pick<Store, 'tools' | 'onChange'>;
};

type Asking = { done: Promise<void>; again: boolean };

export class ToolRefresh {
  readonly #options: ToolRefreshOptions;
  /** By tunnel. */
  readonly #asking = new Map<string, Asking>();

  constructor(options: ToolRefreshOptions) {
    this.#options = options;
    options.store.onChange((what) => {
      if (what === 'grants') for (const tunnel of options.store.tools.keys()) void this.refresh(tunnel);
    });
  }

  /** Resolves when the store is as new as this call. A failure is shown in the tree, never thrown. */
  refresh(tunnel: string): Promise<void> {
    const asking = this.#asking.get(tunnel);
    if (asking) {
      asking.again = true;
      return asking.done;
    }
    const begun: Asking = { done: Promise.resolve(), again: false };
    begun.done = this.#ask(tunnel, begun).finally(() => this.#asking.delete(tunnel));
    this.#asking.set(tunnel, begun);
    return begun.done;
  }

  async #ask(tunnel: string, asking: Asking): Promise<void> {
    const { helper } = this.#options;
    do {
      asking.again = false;
      try {
        const rules = await helper.request('rules/tools', { tunnel });
        helper.report({ kind: 'tools', tunnel, state: { kind: 'loaded', rules } });
      } catch (error) {
        helper.report({ kind: 'tools', tunnel, state: { kind: 'failed', error: errorInfo(error) } });
      }
    } while (asking.again);
  }
}
