// The inspector: a toolbar, the list of exchanges, and the details of the selected one. It pulls from its host and
// holds nothing that the host could not tell it again, except what was chosen and typed.
import { html, LitElement, type TemplateResult } from 'lit';
import { systemClock } from '../core/clock.ts';
import { maxFilterLength, type FilterProblem } from '../mcp/filter/filter.ts';
import { Peer } from '../protocol/peer.ts';
import type { InspectorHost, InspectorPage } from '../protocol/inspector.ts';
import type { DetailState } from './exchangeDetail.ts';
import './exchangeDetail.ts';
import type { ExchangeGrid } from './exchangeGrid.ts';
import './exchangeGrid.ts';
import type { PageHost, PageState } from './pageHost.ts';
import { RowList } from './rowList.ts';
import { TrafficFeed } from './trafficFeed.ts';
import { Words } from './words.ts';

/** Filters that are kept; the oldest makes room. */
const maxKeptFilters = 20;

/** Suggestions shown at once. */
const maxSuggestions = 8;

type Tunnel = InspectorHost['requests']['panel/tunnels']['result'][number];

export class InspectorApp extends LitElement {
  readonly #words = new Words();
  readonly #rows = new RowList();
  #host: PageHost | undefined;
  #peer!: Peer<InspectorPage, InspectorHost>;
  #feed!: TrafficFeed;
  #state: PageState = {};
  #tunnels: Tunnel[] = [];
  #detail: DetailState | undefined;
  #detailSeq = -1;
  #problem: FilterProblem | undefined;
  #suggested: { text: string; options: string[] } = { text: '', options: [] };
  #paused = false;
  /** What the list has in sight where it does not follow the newest. */
  #sight = { from: 0, count: 100 };
  #reachable = true;
  #copied = false;

  start(host: PageHost): void {
    this.#host = host;
    this.#state = host.load();
    this.#peer = new Peer<InspectorPage, InspectorHost>(host.port);
    const peer = this.#peer;
    this.#feed = new TrafficFeed({
      view: (params) => peer.request('traffic/view', params),
      window: (params) => peer.request('traffic/window', params),
      clock: systemClock,
      onWindow: (window, { selected }) => {
        this.#rows.put(window, selected);
        this.#refreshDetail();
        this.requestUpdate();
      },
      onProblem: (problem) => {
        this.#problem = problem;
        this.requestUpdate();
      },
      onReset: () => {
        this.#rows.clear();
        this.requestUpdate();
      },
      onReachable: (reachable) => {
        if (reachable === this.#reachable) return;
        this.#reachable = reachable;
        this.requestUpdate();
      },
    });
    peer.on('traffic/changed', () => this.#feed.hint());
    peer.on('panel/visible', ({ visible }) => this.#feed.setVisible(visible));
    peer.on('panel/select', ({ tunnel }) => this.#selectTunnel(tunnel));
    peer.on('panel/tunnelsChanged', () => void this.#askTunnels());
    peer.start();
    void this.#begin();
  }

  async #begin(): Promise<void> {
    this.#feed.filter(this.#state.filter ?? '');
    this.#look();
    this.#feed.select(this.#state.tunnel);
    this.#feed.setVisible(true);
    this.#peer.request('traffic/watch', { on: true }).catch(() => {}); // The feed says when nobody answers.
    this.#words.use(await this.#peer.request('panel/strings', {}));
    this.requestUpdate();
    await this.#askTunnels();
    if (this.#state.open && this.#state.selected !== undefined) await this.#show(this.#state.selected);
  }

  async #askTunnels(): Promise<void> {
    this.#tunnels = await this.#peer.request('panel/tunnels', {});
    const { tunnel } = this.#state;
    // Opened again a tunnel is another one: its calls must not go unseen because the choice is gone.
    if (tunnel !== undefined && !this.#tunnels.some(({ id }) => id === tunnel)) this.#selectTunnel(undefined);
    this.requestUpdate();
  }

  protected override createRenderRoot(): this {
    return this;
  }

  /** At most once a frame, however fast rows arrive. */
  protected override async scheduleUpdate(): Promise<void> {
    await new Promise((drawn) => requestAnimationFrame(drawn));
    await super.scheduleUpdate();
  }

  protected override render(): TemplateResult {
    if (!this.#host) return html``;
    const { calls, total } = this.#rows.window;
    const guide = calls.held === 0 && !this.#detail && !this.#state.filter;
    return html`<main class=${this.#detail ? 'with-detail' : ''} @keydown=${this.#keyDown}>
      ${this.#toolbar()}
      ${this.#reachable ? '' : html`<p class="banner" role="status">${this.#words.get('unreachable')}</p>`}
      ${this.#problem ? html`<p class="banner" role="status">${this.#problem.message}</p>` : ''}
      ${guide ? this.#empty() : ''} ${guide && total === 0 ? '' : this.#list()}
      ${
        this.#detail
          ? html`<mcp-exchange-detail
              .words=${this.#words}
              .state=${this.#detail}
              @detail-close=${this.#closeDetail}
              @detail-copy=${(event: CustomEvent<string>) => this.#copy(event.detail)}
            ></mcp-exchange-detail>`
          : ''
      }
      <div class="toast ${this.#copied ? 'on' : ''}" role="status">
        ${this.#copied ? this.#words.get('copied') : ''}
      </div>
    </main>`;
  }

  /** Rows change in place, which the grid cannot see by itself. */
  protected override updated(): void {
    this.querySelector<ExchangeGrid>('mcp-exchange-grid')?.requestUpdate();
  }

  #toolbar(): TemplateResult {
    const t = this.#words.get;
    const follow = this.#state.follow ?? true;
    return html`<div class="toolbar" role="toolbar" aria-label=${t('title')}>
      ${this.#tunnels.length > 1 || this.#state.tunnel !== undefined ? this.#tunnelChoice() : ''}
      <input
        class="filter"
        type="search"
        maxlength=${maxFilterLength}
        placeholder=${t('filter')}
        aria-label=${t('filter')}
        aria-invalid=${this.#problem !== undefined}
        .value=${this.#state.filter ?? ''}
        @input=${(event: Event) => {
          const { value, selectionStart } = event.currentTarget as HTMLInputElement;
          this.#filter(value, selectionStart ?? value.length);
        }}
      />
      ${this.#keepButton()}
      <button aria-pressed=${this.#paused} title=${t('pauseHint')} @click=${this.#pause}>${t('pause')}</button>
      <button aria-pressed=${follow} title=${t('followHint')} @click=${() => this.#follow(!follow)}>
        ${t('follow')}
      </button>
      <button title=${t('clearHint')} ?disabled=${this.#rows.window.total === 0} @click=${this.#clear}>
        ${t('clear')}
      </button>
      <span class="count" role="status">${this.#count()}</span>
      ${this.#suggestions()}
    </div>`;
  }

  /** What could be typed next, or the filters that were kept; each is the whole text that it would give. */
  #suggestions(): TemplateResult {
    const { options } = this.#suggested;
    const filter = this.#state.filter ?? '';
    const offered = filter === '' ? (this.#state.kept ?? []) : options;
    if (offered.length === 0) return html``;
    return html`<span class="suggestions">
      ${offered.map((text) => html`<button @click=${() => this.#take(text)}>${text}</button>`)}
    </span>`;
  }

  #keepButton(): TemplateResult {
    const { filter = '', kept = [] } = this.#state;
    if (filter.trim() === '' || this.#problem) return html``;
    const isKept = kept.includes(filter);
    const label = this.#words.get(isKept ? 'dropFilter' : 'keepFilter');
    const others = kept.filter((one) => one !== filter);
    const keep = (): void =>
      this.#remember({ ...this.#state, kept: (isKept ? others : [filter, ...others]).slice(0, maxKeptFilters) });
    return html`<button aria-pressed=${isKept} aria-label=${label} title=${label} @click=${keep}>★</button>`;
  }

  #tunnelChoice(): TemplateResult {
    const t = this.#words.get;
    const chosen = this.#state.tunnel ?? '';
    return html`<select
      aria-label=${t('tunnel')}
      @change=${(event: Event) => this.#selectTunnel((event.currentTarget as HTMLSelectElement).value || undefined)}
    >
      <option value="" .selected=${chosen === ''}>${t('allTunnels')}</option>
      ${this.#tunnels.map(({ id, label, state }) => html`<option value=${id} .selected=${chosen === id}>${label} (${state})</option>`)}
    </select>`;
  }

  #count(): string {
    const { calls, dropped, searching } = this.#rows.window;
    if (calls.held === 0) return '';
    const t = this.#words.get;
    const count = calls.shown === calls.held ? t('calls', calls.held) : t('callsShown', calls.shown, calls.held);
    const search = searching ? ` · ${t('searching', searching.seen, searching.of)}` : '';
    return dropped > 0 ? `${count} · ${t('forgotten', dropped)}${search}` : `${count}${search}`;
  }

  #list(): TemplateResult {
    const { matched, total, searching } = this.#rows.window;
    if (matched === 0 && total > 0 && !searching) {
      return html`<div class="empty">
        <p>${this.#words.get('noMatch', this.#state.filter ?? '')}</p>
        <button @click=${() => this.#take('')}>${this.#words.get('clearFilter')}</button>
      </div>`;
    }
    return html`<mcp-exchange-grid
      .rows=${this.#rows}
      .words=${this.#words}
      .selected=${this.#state.selected}
      .follow=${this.#state.follow ?? true}
      @grid-select=${(event: CustomEvent<string>) => this.#select(event.detail)}
      @grid-open=${(event: CustomEvent<string>) => void this.#show(event.detail)}
      @grid-sight=${(event: CustomEvent<{ from: number; count: number }>) => this.#look(event.detail)}
      @grid-follow=${(event: CustomEvent<string>) => this.#follow(event.detail === 'true')}
    ></mcp-exchange-grid>`;
  }

  #empty(): TemplateResult {
    const t = this.#words.get;
    return html`<div class="empty">
      <h2>${t('emptyTitle')}</h2>
      <ol>
        <li class=${this.#tunnels.length > 0 ? 'done' : ''}>${t('emptyExpose')}</li>
        <li>${t('emptyConnect')}</li>
        <li>${t('emptyCall')}</li>
      </ol>
    </div>`;
  }

  #selectTunnel(tunnel: string | undefined): void {
    const { tunnel: _before, selected: _row, ...rest } = this.#state;
    this.#remember(tunnel === undefined ? rest : { ...rest, tunnel });
    this.#detail = undefined;
    this.#feed.select(tunnel);
  }

  #filter(filter: string, caret = filter.length): void {
    this.#remember({ ...this.#state, filter });
    this.#feed.filter(filter);
    void this.#suggest(filter, caret);
  }

  #take(filter: string): void {
    this.#filter(filter);
    this.querySelector<HTMLInputElement>('.filter')?.focus();
  }

  async #suggest(text: string, caret: number): Promise<void> {
    this.#suggested = { text, options: [] };
    if (text === '') return;
    const suggested = await this.#peer.request('traffic/complete', { text, caret }).catch(() => undefined);
    if (!suggested || this.#suggested.text !== text) return; // Typed on meanwhile.
    const whole = suggested.options.map((option) => text.slice(0, suggested.from) + option + text.slice(suggested.to));
    this.#suggested = { text, options: whole.filter((one) => one !== text).slice(0, maxSuggestions) };
    this.requestUpdate();
  }

  #follow(follow: boolean): void {
    this.#remember({ ...this.#state, follow });
    if (follow) this.#look();
  }

  readonly #pause = (): void => {
    this.#paused = !this.#paused;
    this.#feed.setPaused(this.#paused);
    this.requestUpdate();
  };

  /** At what the list shows; where it follows, at the newest. */
  #look(sight: { from: number; count: number } = this.#sight): void {
    this.#sight = sight;
    const { selected, follow = true } = this.#state;
    const from = follow ? 'end' : sight.from;
    this.#feed.look({ from, count: sight.count, ...(selected !== undefined && { selected }) });
  }

  readonly #clear = (): void => {
    const { tunnel } = this.#state;
    this.#closeDetail();
    this.#peer.request('traffic/clear', tunnel === undefined ? {} : { tunnel }).then(
      () => this.#feed.select(tunnel),
      () => {}, // The feed says when nobody answers.
    );
  };

  #select(id: string): void {
    this.#remember({ ...this.#state, selected: id, follow: false });
    this.#look();
    if (this.#detail) void this.#show(id);
  }

  async #show(id: string): Promise<void> {
    this.#remember({ ...this.#state, selected: id, open: true });
    this.#detail ??= { kind: 'loading' };
    const seq = this.#rows.seqOf(id) ?? -1;
    const state = await this.#peer.request('traffic/get', { id }).then(
      (detail): DetailState => ({ kind: 'shown', detail }),
      (): DetailState => ({ kind: 'gone' }),
    );
    if (this.#state.selected !== id || !this.#detail) return; // Another one was chosen meanwhile.
    this.#detail = state;
    this.#detailSeq = seq;
    this.requestUpdate();
  }

  /** The exchange on show went on: its details are read again. */
  #refreshDetail(): void {
    const { selected } = this.#state;
    const seq = selected === undefined ? undefined : this.#rows.seqOf(selected);
    if (selected === undefined || seq === undefined) return;
    if (this.#detail?.kind !== 'shown' || seq === this.#detailSeq) return;
    this.#detailSeq = seq;
    void this.#show(selected);
  }

  readonly #closeDetail = (): void => {
    this.#detail = undefined;
    this.#remember({ ...this.#state, open: false }); // The row stays selected: arrows go on from it.
    this.querySelector<ExchangeGrid>('mcp-exchange-grid')?.focus();
  };

  readonly #keyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' || !this.#detail) return;
    event.preventDefault();
    this.#closeDetail();
  };

  #copy(text: string): void {
    void this.#peer.request('panel/copy', { text }).then(() => {
      this.#copied = true;
      systemClock.after(1_500, () => {
        this.#copied = false;
        this.requestUpdate();
      });
      this.requestUpdate();
    });
  }

  #remember(state: PageState): void {
    this.#state = state;
    this.#host?.save(state);
    this.requestUpdate();
  }
}

customElements.define('mcp-inspector', InspectorApp);
