// Asks the host for the lines in sight: one question at a time, and none while the page is hidden or paused. A hint
// only says that there is something to ask for; the host keeps the rows and does the filtering.
import type { Clock, TimerHandle } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { FilterProblem } from '../mcp/filter/filter.ts';
import type { InspectorRequests, TrafficWindow } from '../protocol/inspector.ts';

/** After a question that failed. */
const retryMs = 1_000;

/** What is in sight: from a place, or the newest ones; and the row whose place is wanted. */
export type Sight = { from: number | 'end'; count: number; selected?: string };

export type TrafficFeedOptions = {
  view: (params: InspectorRequests['traffic/view']['params']) => Promise<InspectorRequests['traffic/view']['result']>;
  window: (params: InspectorRequests['traffic/window']['params']) => Promise<TrafficWindow>;
  clock: Clock;
  onWindow: (window: TrafficWindow, sight: Sight) => void;
  /** What was delivered so far is void. */
  onReset: () => void;
  onReachable: (reachable: boolean) => void;
  /** What is wrong with the filter; meanwhile the rows of the last good one are shown. */
  onProblem: (problem: FilterProblem | undefined) => void;
};

export class TrafficFeed {
  readonly #options: TrafficFeedOptions;
  #tunnel: string | undefined;
  #filter = '';
  #sight: Sight = { from: 'end', count: 100 };
  #view: number | undefined;
  #wanted = true;
  #visible = false;
  #paused = false;
  #stale = true;
  #reading = false;
  #round = 0;
  #retry: TimerHandle | undefined;

  constructor(options: TrafficFeedOptions) {
    this.#options = options;
  }

  setVisible(visible: boolean): void {
    this.#visible = visible;
    this.#refresh(); // Hints were not sent meanwhile.
  }

  /** While it is paused only what the person asks for is read. */
  setPaused(paused: boolean): void {
    this.#paused = paused;
    if (!paused) this.#refresh();
  }

  /** One tunnel, or all of them; what is held belongs to another choice. */
  select(tunnel: string | undefined): void {
    this.#tunnel = tunnel;
    this.#view = undefined;
    this.#options.onReset();
    this.#again();
  }

  filter(filter: string): void {
    if (filter === this.#filter) return;
    this.#filter = filter;
    this.#again();
  }

  look(sight: Sight): void {
    this.#sight = sight;
    this.#refresh();
  }

  hint(): void {
    if (!this.#paused) this.#refresh();
  }

  /** Another view is wanted; answers of the one before are not. */
  #again(): void {
    this.#round += 1;
    this.#wanted = true;
    this.#refresh();
  }

  #refresh(): void {
    this.#stale = true;
    void this.#pull();
  }

  async #pull(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#visible && this.#stale) {
        this.#stale = false;
        await this.#read(this.#round);
      }
      this.#retry?.cancel();
    } catch {
      this.#stale = true;
      this.#options.onReachable(false);
      this.#retry?.cancel();
      this.#retry = this.#options.clock.after(retryMs, () => void this.#pull());
    } finally {
      this.#reading = false;
    }
  }

  async #read(round: number): Promise<void> {
    if (this.#wanted) await this.#open(round);
    if (this.#view === undefined || round !== this.#round) return;
    const sight = this.#sight;
    const window = await this.#options.window({ view: this.#view, ...sight }).catch((error: unknown) => {
      if (!(error instanceof TunnelError) || error.code !== 'NOT_FOUND') throw error;
      return undefined;
    });
    if (round !== this.#round) return; // The answer to a question that is no longer asked.
    if (!window) {
      this.#view = undefined; // Another helper, or others looked at too much else.
      return this.#again();
    }
    this.#options.onReachable(true);
    this.#options.onWindow(window, sight);
  }

  async #open(round: number): Promise<void> {
    const tunnel = this.#tunnel === undefined ? {} : { tunnel: this.#tunnel };
    const opened = await this.#options.view({ filter: this.#filter, ...tunnel });
    if (round !== this.#round) return;
    this.#wanted = false;
    this.#options.onReachable(true);
    this.#options.onProblem(opened.kind === 'problem' ? opened : undefined);
    if (opened.kind === 'view') this.#view = opened.view;
  }
}
