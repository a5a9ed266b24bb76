// Asks discovery again when files or folders changed, one question at a time: what changes meanwhile is asked once more.
import { errorInfo } from '../core/errors.ts';
import type { HelperLink } from './helperLink.ts';

export type ServerRefreshOptions = {
  helper: Pick<HelperLink, 'request' | 'report'>;
  folders: () => string[];
  log: (message: string) => void;
};

export class ServerRefresh {
  readonly #options: ServerRefreshOptions;
  #running: Promise<void> | undefined;
  #again = false;

  constructor(options: ServerRefreshOptions) {
    this.#options = options;
  }

  /** Resolves when the list is as new as this call; a failure is logged and shown by the helper's state. */
  refresh(): Promise<void> {
    if (this.#running) this.#again = true;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #run(): Promise<void> {
    const { helper, folders, log } = this.#options;
    do {
      this.#again = false;
      try {
        helper.report({ kind: 'servers', list: await helper.request('servers/list', { folders: folders() }) });
      } catch (error) {
        log(`servers could not be listed: ${errorInfo(error).message}`);
      }
    } while (this.#again);
  }
}
