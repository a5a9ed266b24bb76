// The list of exchanges as an ARIA grid. Only the rows in sight are in the document; the focus stays on the grid and
// `aria-activedescendant` names the selected row, so that recycled rows never take it along.
import { html, LitElement, nothing, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { ExchangeRow, TrafficLine } from '../protocol/inspector.ts';
import type { InspectorTextKey } from '../protocol/inspectorText.ts';
import { byteSize, clockTime, milliseconds, oneLine } from './format.ts';
import type { RowList } from './rowList.ts';
import { rowHeight, rowWindow, scrollToShow } from './rowWindow.ts';
import type { Words } from './words.ts';

const columns = ['time', 'direction', 'agent', 'method', 'name', 'status', 'latency', 'size'] as const;

/** Lines asked for beyond those that are drawn, at each end. */
const ahead = 40;

/**
 * `grid-select`: an id was chosen; `grid-open`: its details are wanted; `grid-follow`: the list was scrolled;
 * `grid-sight`: lines came into sight that are not held.
 */
export class ExchangeGrid extends LitElement {
  static override readonly properties = { words: { attribute: false }, selected: { attribute: false } };
  declare words: Words;
  declare selected: string | undefined;
  rows!: RowList;
  #follow = true;
  #scrolledTo = -1;
  /** A place that was moved to before its line was held, and on which side the next one is if that is a gap. */
  #awaited: { place: number; step: 1 | -1 } | undefined;
  readonly #resized = new ResizeObserver(() => this.requestUpdate());

  get follow(): boolean {
    return this.#follow;
  }

  set follow(follow: boolean) {
    this.#follow = follow;
    this.requestUpdate();
  }

  protected override createRenderRoot(): this {
    return this;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#resized.disconnect();
  }

  protected override render(): TemplateResult {
    const { first, end } = this.#window();
    const lines = Array.from({ length: end - first }, (_, index) => first + index).flatMap((place) => {
      const line = this.rows.line(place);
      return line ? [{ line, place }] : [];
    });
    const t = this.words.get;
    const active = this.selected !== undefined && this.rows.indexOf(this.selected) >= 0;
    return html`<div
      class="grid"
      role="grid"
      tabindex="0"
      aria-label=${t('title')}
      aria-rowcount=${this.rows.length + 1}
      aria-colcount=${columns.length}
      aria-activedescendant=${active ? rowId(this.selected!) : nothing}
      @scroll=${this.#scrolled}
      @keydown=${this.#keyDown}
    >
      <div class="row head" role="row" aria-rowindex="1">
        ${columns.map((key) => html`<span class="cell ${key}" role="columnheader">${t(key)}</span>`)}
      </div>
      <div class="spacer" role="presentation">
        <div class="window" role="presentation">
          ${repeat(
            lines,
            ({ line, place }) => (line.kind === 'row' ? line.row.id : `gap ${place}`),
            ({ line, place }) => this.#line(line, place),
          )}
        </div>
      </div>
    </div>`;
  }

  #line(line: TrafficLine, place: number): TemplateResult {
    if (line.kind === 'row') return this.#row(line.row, place);
    return html`<div class="row gap" role="row" aria-rowindex=${place + 2}>
      <span class="cell" role="gridcell" aria-colspan=${columns.length}>${this.words.get('gap', line.count)}</span>
    </div>`;
  }

  #row(row: ExchangeRow, index: number): TemplateResult {
    const selected = row.id === this.selected;
    return html`<div
      class="row kind-${row.kind} status-${row.status} ${selected ? 'selected' : ''} ${index % 2 ? 'odd' : ''}"
      role="row"
      id=${rowId(row.id)}
      aria-rowindex=${index + 2}
      aria-selected=${selected}
      @click=${() => this.#open(row.id)}
    >
      ${columns.map((key) => {
        const text = cellText(row, key, this.words);
        const full = titleOf(row, key, this.words);
        return html`<span class="cell ${key}" role="gridcell" title=${full || nothing}>${text}</span>`;
      })}
    </div>`;
  }

  protected override firstUpdated(): void {
    this.#resized.observe(this.#scroller());
  }

  /** Sizes and places go through the object model: the page's policy forbids style attributes. */
  protected override updated(): void {
    const scroller = this.#scroller();
    const { length } = this.rows;
    const { first, end } = this.#window();
    const drawn = Math.max(first, Math.min(this.rows.window.from, end));
    this.#element('.spacer').style.height = `${length * rowHeight}px`;
    this.#element('.window').style.transform = `translateY(${drawn * rowHeight}px)`;
    this.#arrived();
    if (!this.rows.covers(first, end)) this.#see();
    if (!this.#follow) return;
    const bottom = scroller.scrollHeight - scroller.clientHeight;
    if (Math.abs(scroller.scrollTop - bottom) < 1) return;
    this.#scrolledTo = bottom;
    scroller.scrollTop = bottom;
  }

  override focus(): void {
    this.#scroller().focus();
  }

  /** Selects the row at the place that `to` says; one that is not held is selected when it is. */
  #move(to: (index: number, last: number) => number): void {
    const { length } = this.rows;
    if (length === 0) return;
    const awaited = this.#awaited?.place;
    const current = awaited ?? (this.selected === undefined ? -1 : this.rows.indexOf(this.selected));
    const wanted = to(current, length - 1);
    this.#awaited = { place: Math.min(length - 1, Math.max(0, wanted)), step: wanted > current ? 1 : -1 };
    if (this.#awaited.place === 0) this.#awaited.step = 1;
    if (this.#awaited.place === length - 1) this.#awaited.step = -1;
    this.#reveal(this.#awaited.place);
    this.#arrived();
  }

  #reveal(place: number): void {
    const scroller = this.#scroller();
    const height = scroller.clientHeight - rowHeight; // The header covers one row.
    scroller.scrollTop = scrollToShow(place, scroller.scrollTop, height);
  }

  /** The line that was moved to may be held by now; a gap is stepped over. */
  #arrived(): void {
    if (!this.#awaited) return;
    const { place, step } = this.#awaited;
    const line = this.rows.line(place);
    if (line?.kind === 'gap' && this.rows.line(place + step)?.kind === 'row') {
      this.#awaited = { place: place + step, step };
      this.#reveal(place + step);
      return this.#arrived();
    }
    if (!line) {
      if (place >= this.rows.length) this.#awaited = undefined; // The list became shorter.
      return;
    }
    this.#awaited = undefined;
    if (line.kind === 'row') this.#select(line.row.id);
  }

  /** Asks for what is in sight, and for the newest where the list follows them. */
  #see(): void {
    const { first, end } = this.#window();
    const count = end - first + 2 * ahead;
    this.dispatchEvent(new CustomEvent('grid-sight', { detail: { from: Math.max(0, first - ahead), count } }));
  }

  readonly #keyDown = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(this.#scroller().clientHeight / rowHeight) - 2);
    const moves: Record<string, (index: number, last: number) => number> = {
      ArrowDown: (index) => index + 1,
      ArrowUp: (index, last) => (index < 0 ? last : index - 1),
      PageDown: (index) => index + page,
      PageUp: (index) => index - page,
      Home: () => 0,
      End: (_index, last) => last,
    };
    const move = moves[event.key];
    if (move) this.#move(move);
    else if (event.key === 'Enter' && this.selected !== undefined) this.#open(this.selected);
    else return;
    event.preventDefault();
  };

  readonly #scrolled = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller();
    const atEnd = scrollTop + clientHeight >= scrollHeight - rowHeight;
    const own = Math.abs(scrollTop - this.#scrolledTo) < 2;
    // Scrolling up is how a person says "hold still"; scrolling to the end, "go on".
    if (!own && atEnd !== this.#follow) this.#tell('grid-follow', String(atEnd));
    this.requestUpdate();
  };

  #open(id: string): void {
    this.#select(id);
    this.#tell('grid-open', id);
  }

  /** At once: the next key may come before the next frame. */
  #select(id: string): void {
    this.selected = id;
    this.#tell('grid-select', id);
  }

  #tell(name: string, detail: string): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #window(): { first: number; end: number } {
    const scroller = this.querySelector('.grid');
    return rowWindow(scroller?.scrollTop ?? 0, scroller?.clientHeight ?? 600, this.rows.length);
  }

  #scroller(): HTMLElement {
    return this.#element('.grid');
  }

  #element(selector: string): HTMLElement {
    return this.querySelector<HTMLElement>(selector)!;
  }
}

customElements.define('mcp-exchange-grid', ExchangeGrid);

function rowId(id: string): string {
  return `row-${id}`;
}

function cellText(row: ExchangeRow, column: (typeof columns)[number], words: Words): string {
  switch (column) {
    case 'time':
      return clockTime(row.startedMs);
    case 'direction':
      if (row.kind === 'event') return '•';
      return row.direction === 'agent-to-server' ? '→' : '←';
    case 'agent':
      return oneLine(row.agent) || (row.kind === 'event' ? words.get('server') : '–');
    case 'method':
      return row.kind === 'event' ? eventText(row, words) : oneLine(row.method) || row.kind;
    case 'name':
      return oneLine(row.name ?? '');
    case 'status':
      return statusText(row, words);
    case 'latency':
      return row.latencyMs === undefined || row.kind === 'event' ? '' : milliseconds(row.latencyMs);
    case 'size':
      return row.kind === 'event' ? '' : byteSize(row.requestBytes + row.responseBytes);
  }
}

function titleOf(row: ExchangeRow, column: (typeof columns)[number], words: Words): string {
  if (column === 'direction' && row.kind === 'event') return words.get('ofServer');
  if (column === 'direction') return words.get(row.direction === 'agent-to-server' ? 'toServer' : 'toAgent');
  if (column === 'status') return oneLine(row.reason ?? '');
  if (column === 'agent') return oneLine(row.agent);
  if (column === 'method') return oneLine(row.method);
  return column === 'name' ? oneLine(row.name ?? '') : '';
}

/** The word, and the number that says more: an HTTP status of 400 and above, or a JSON-RPC code. */
export function statusText({ kind, status, httpStatus, rpcCode }: ExchangeRow, words: Words): string {
  if (kind === 'event' && status === 'ok') return ''; // A line is neither good nor bad.
  const word = words.get(status satisfies InspectorTextKey);
  if (httpStatus !== undefined && httpStatus >= 400) return `${word} ${httpStatus}`;
  return rpcCode === undefined ? word : `${word} ${rpcCode}`;
}

/** What happened to the server, in words of the page; anything else is the server's own stream. */
export function eventText({ method }: ExchangeRow, words: Words): string {
  switch (method) {
    case 'started':
    case 'ended':
    case 'away':
    case 'returned':
      return words.get(method);
    default:
      return oneLine(method);
  }
}
