// Pulls exchanges from the host: all after a cursor, one question at a time, and none while the page is hidden.
// A hint only says that there is something to ask for.
import type { Clock, TimerHandle } from '../core/clock.ts';
import type { ExchangeRow, InspectorRequests, TrafficPage } from '../protocol/inspector.ts';

/** Rows asked for at once. */
export const pageRows = 1_000;
/** After a question that failed. */
const retryMs = 1_000;

export type TrafficFeedOptions = {
  read: (params: InspectorRequests['traffic/read']['params']) => Promise<TrafficPage>;
  clock: Clock;
  onRows: (rows: readonly ExchangeRow[], page: TrafficPage) => void;
  /** What was delivered so far is void. */
  onReset: () => void;
  onReachable: (reachable: boolean) => void;
};

export class TrafficFeed {
  readonly #options: TrafficFeedOptions;
  #tunnel: string | undefined;
  #after = 0;
  #epoch: number | undefined;
  #visible = false;
  #stale = true;
  #reading = false;
  #round = 0;
  #retry: TimerHandle | undefined;

  constructor(options: TrafficFeedOptions) {
    this.#options = options;
  }

  setVisible(visible: boolean): void {
    this.#visible = visible;
    this.#stale = true; // Hints were not sent meanwhile.
    void this.#pull();
  }

  /** One tunnel, or all of them; what is held belongs to another choice. */
  select(tunnel: string | undefined): void {
    this.#tunnel = tunnel;
    this.#restart();
    void this.#pull();
  }

  hint(head: number): void {
    if (head < this.#after) this.#restart(); // Another log: the helper was started again.
    this.#stale = true;
    void this.#pull();
  }

  #restart(): void {
    this.#round += 1;
    this.#after = 0;
    this.#epoch = undefined;
    this.#stale = true;
    this.#options.onReset();
  }

  async #pull(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#visible && this.#stale) await this.#readPage();
      this.#retry?.cancel();
    } catch {
      this.#options.onReachable(false);
      this.#retry?.cancel();
      this.#retry = this.#options.clock.after(retryMs, () => void this.#pull());
    } finally {
      this.#reading = false;
    }
  }

  async #readPage(): Promise<void> {
    const round = this.#round;
    this.#stale = false;
    const tunnel = this.#tunnel === undefined ? {} : { tunnel: this.#tunnel };
    let page: TrafficPage;
    try {
      page = await this.#options.read({ ...tunnel, after: this.#after, max: pageRows });
    } catch (error) {
      this.#stale = true;
      throw error;
    }
    this.#options.onReachable(true);
    if (round !== this.#round) return; // The answer to a question that is no longer asked.
    if (this.#epoch !== undefined && page.epoch !== this.#epoch) return this.#restart();
    this.#epoch = page.epoch;
    this.#after = page.next;
    if (page.more) this.#stale = true;
    this.#options.onRows(page.rows, page);
  }
}
