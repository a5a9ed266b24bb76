// The inspector: a toolbar, the list of exchanges, and the details of the selected one. It pulls from its host and
// holds nothing that the host could not tell it again, except what was chosen and typed.
import { html, LitElement, type TemplateResult } from 'lit';
import { systemClock } from '../core/clock.ts';
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
  #dropped = 0;
  #reachable = true;
  #copied = false;

  start(host: PageHost): void {
    this.#host = host;
    this.#state = host.load();
    this.#rows.filter(this.#state.filter ?? '');
    this.#peer = new Peer<InspectorPage, InspectorHost>(host.port);
    const peer = this.#peer;
    this.#feed = new TrafficFeed({
      read: (params) => peer.request('traffic/read', params),
      clock: systemClock,
      onRows: (rows, page) => {
        this.#rows.put(rows);
        this.#dropped = page.dropped;
        this.#refreshDetail();
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
    peer.on('traffic/changed', ({ head }) => this.#feed.hint(head));
    peer.on('panel/visible', ({ visible }) => this.#feed.setVisible(visible));
    peer.on('panel/select', ({ tunnel }) => this.#selectTunnel(tunnel));
    peer.on('panel/tunnelsChanged', () => void this.#askTunnels());
    peer.start();
    void this.#begin();
  }

  async #begin(): Promise<void> {
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
    const guide = this.#rows.calls.held === 0 && !this.#detail && !this.#state.filter;
    return html`<main class=${this.#detail ? 'with-detail' : ''} @keydown=${this.#keyDown}>
      ${this.#toolbar()}
      ${this.#reachable ? '' : html`<p class="banner" role="status">${this.#words.get('unreachable')}</p>`}
      ${guide ? this.#empty() : ''} ${guide && this.#rows.total === 0 ? '' : this.#list()}
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
        maxlength="200"
        placeholder=${t('filter')}
        aria-label=${t('filter')}
        .value=${this.#state.filter ?? ''}
        @input=${(event: Event) => this.#filter((event.currentTarget as HTMLInputElement).value)}
      />
      <button aria-pressed=${follow} title=${t('followHint')} @click=${() => this.#follow(!follow)}>
        ${t('follow')}
      </button>
      <button title=${t('clearHint')} ?disabled=${this.#rows.total === 0} @click=${this.#clear}>${t('clear')}</button>
      <span class="count" role="status">${this.#count()}</span>
    </div>`;
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
    const { calls, forgotten } = this.#rows;
    if (calls.held === 0) return '';
    const t = this.#words.get;
    const count = calls.shown === calls.held ? t('calls', calls.held) : t('callsShown', calls.shown, calls.held);
    const gone = Math.max(forgotten, this.#dropped);
    return gone > 0 ? `${count} · ${t('forgotten', gone)}` : count;
  }

  #list(): TemplateResult {
    const { shown, total } = this.#rows;
    if (shown.length === 0 && total > 0) {
      return html`<div class="empty">
        <p>${this.#words.get('noMatch', this.#state.filter ?? '')}</p>
        <button @click=${() => this.#filter('')}>${this.#words.get('clearFilter')}</button>
      </div>`;
    }
    return html`<mcp-exchange-grid
      .rows=${this.#rows}
      .words=${this.#words}
      .selected=${this.#state.selected}
      .follow=${this.#state.follow ?? true}
      @grid-select=${(event: CustomEvent<string>) => this.#select(event.detail)}
      @grid-open=${(event: CustomEvent<string>) => void this.#show(event.detail)}
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

  #filter(filter: string): void {
    this.#remember({ ...this.#state, filter });
    this.#rows.filter(filter);
  }

  #follow(follow: boolean): void {
    this.#remember({ ...this.#state, follow });
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
    if (this.#detail) void this.#show(id);
  }

  async #show(id: string): Promise<void> {
    this.#remember({ ...this.#state, selected: id, open: true });
    this.#detail ??= { kind: 'loading' };
    const seq = this.#rows.get(id)?.row.seq ?? -1;
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
    const row = selected === undefined ? undefined : this.#rows.get(selected)?.row;
    if (!row || this.#detail?.kind !== 'shown' || row.seq === this.#detailSeq) return;
    this.#detailSeq = row.seq;
    void this.#show(row.id);
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
