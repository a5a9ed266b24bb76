// One exchange in full: what was asked, what came back, headers, timings and every message on the way.
// Sections that are folded are not built.
import { html, LitElement, nothing, type TemplateResult } from 'lit';
import type { CapturedMessage, ExchangeDetail, HeaderList, Timings } from '../protocol/inspector.ts';
import type { InspectorTextKey } from '../protocol/inspectorText.ts';
import { callContent, prettyMessage } from './callContent.ts';
import { eventText, statusText } from './exchangeGrid.ts';
import { byteSize, clockTime, milliseconds, oneLine } from './format.ts';
import './textBlock.ts';
import type { Words } from './words.ts';

/** Messages drawn; a stream may have thousands. */
export const maxMessagesShown = 200;

export type DetailState = { kind: 'loading' } | { kind: 'gone' } | { kind: 'shown'; detail: ExchangeDetail };

/** `detail-close`: it is no longer wanted; `detail-copy`: its text goes to the clipboard. */
export class ExchangeDetailView extends LitElement {
  static override readonly properties = { words: { attribute: false }, state: { attribute: false } };
  declare words: Words;
  declare state: DetailState;
  readonly #open = new Set<string>(['parameters', 'answer']);

  protected override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult {
    const t = this.words.get;
    return html`<section class="detail" role="region" aria-label=${t('details')} tabindex="-1">
      ${this.state.kind === 'shown' ? this.#detail(this.state.detail) : this.#placeholder(t(this.state.kind))}
    </section>`;
  }

  #placeholder(text: string): TemplateResult {
    return html`<header>${this.#closeButton()}</header>
      <p class="hint">${text}</p>`;
  }

  #detail(detail: ExchangeDetail): TemplateResult {
    const { row } = detail;
    if (row.kind === 'event') return this.#event(detail);
    const t = this.words.get;
    const { parameters, answer } = callContent(detail);
    return html`<header>
        <h2>
          ${oneLine(row.method) || row.kind}${row.name ? html` <span class="tool">${oneLine(row.name)}</span>` : ''}
        </h2>
        <span class="badge status-${row.status}">${statusText(row, this.words)}</span>
        ${this.#closeButton()}
      </header>
      ${row.reason ? html`<p class="reason">${row.reason}</p>` : ''} ${this.#facts(detail)}
      ${this.#section('parameters', t(parameters === undefined || isParsed(detail) ? 'parameters' : 'request'), parameters ?? t('none'), parameters)}
      ${
        answer
          ? this.#section('answer', t(answer.kind === 'error' ? 'errorResult' : 'result'), answer.text, answer.text)
          : this.#section('answer', t('result'), t(row.status === 'pending' ? 'nothingYet' : 'none'), undefined)
      }
      ${this.#folded('timings', t('timings'), () => this.#timings(detail.timings))}
      ${this.#folded('messages', t('messages', detail.messages.length), () => this.#messages(detail.messages))}
      ${
        detail.translated
          ? this.#folded('serverForm', t('serverForm', detail.translated.length), () =>
              this.#messages(detail.translated!),
            )
          : nothing
      }
      ${this.#folded('requestHeaders', t('requestHeaders', detail.requestHeaders.length), () => headers(detail.requestHeaders))}
      ${this.#folded('responseHeaders', t('responseHeaders', detail.responseHeaders.length), () => headers(detail.responseHeaders))}`;
  }

  /** What the server said or what became of it: there is nothing but that. */
  #event({ row, messages }: ExchangeDetail): TemplateResult {
    const t = this.words.get;
    const text = messages[0]?.text ?? row.name ?? '';
    return html`<header>
        <h2>${eventText(row, this.words)}</h2>
        ${this.#closeButton()}
      </header>
      <p class="hint">
        ${t('ofServer')} ·
        ${clockTime(row.startedMs)}${row.session ? ` · ${t('session')} ${oneLine(row.session)}…` : ''}
      </p>
      ${text === '' ? nothing : html`<mcp-text .text=${text} .words=${this.words}></mcp-text>`}`;
  }

  #closeButton(): TemplateResult {
    const label = this.words.get('close');
    return html`<button
      class="close"
      title="${label} (Esc)"
      aria-label=${label}
      @click=${() => this.#tell('detail-close', '')}
    >
      ✕
    </button>`;
  }

  #facts({ row, httpMethod, path, visitor, principal, rule }: ExchangeDetail): TemplateResult {
    const status = row.httpStatus === undefined ? '' : ` → ${row.httpStatus}`;
    const facts: [InspectorTextKey, string | undefined][] = [
      ['time', clockTime(row.startedMs)],
      ['latency', row.latencyMs === undefined ? undefined : milliseconds(row.latencyMs)],
      ['agent', row.agent],
      ['principal', principal && `${principal.name} (${principal.kind})`],
      ['session', row.session && `${row.session}…`],
      ['visitor', visitor],
      ['rule', rule],
      ['http', httpMethod ? `${httpMethod} ${path}${status}` : undefined],
      ['size', `↑ ${byteSize(row.requestBytes)}  ↓ ${byteSize(row.responseBytes)}`],
    ];
    const flags = row.flags.map((flag) => this.words.get(flag));
    return html`<dl class="facts">
      ${facts.map(([key, value]) =>
        value
          ? html`<dt>${this.words.get(key)}</dt>
              <dd>${oneLine(value)}</dd>`
          : nothing,
      )}
      ${
        flags.length > 0
          ? html`<dt>ⓘ</dt>
              <dd>${flags.join(', ')}</dd>`
          : nothing
      }
    </dl>`;
  }

  #section(key: string, title: string, text: string, copied: string | undefined): TemplateResult {
    const body = (): TemplateResult =>
      copied === undefined
        ? html`<p class="hint">${text}</p>`
        : html`<mcp-text .text=${text} .words=${this.words}></mcp-text>`;
    return this.#folded(key, title, body, copied);
  }

  /** The body is built when the section is open, and only then. */
  #folded(key: string, title: string, body: () => TemplateResult, copied?: string): TemplateResult {
    const open = this.#open.has(key);
    const toggled = (event: Event): void => {
      const isOpen = (event.currentTarget as HTMLDetailsElement).open;
      if (isOpen === this.#open.has(key)) return;
      if (isOpen) this.#open.add(key);
      else this.#open.delete(key);
      this.requestUpdate();
    };
    const copy = (event: Event): void => {
      event.preventDefault(); // It stands in the summary, which would fold.
      this.#tell('detail-copy', copied ?? '');
    };
    return html`<details .open=${open} @toggle=${toggled}>
      <summary>
        <span>${title}</span
        >${copied === undefined ? '' : html`<button class="copy" @click=${copy}>${this.words.get('copy')}</button>`}
      </summary>
      ${open ? body() : nothing}
    </details>`;
  }

  #timings(timings: Timings): TemplateResult {
    const steps: [InspectorTextKey, number | undefined][] = [
      ['bodyRead', timings.bodyReadMs],
      ['decided', timings.decidedMs],
      ['audited', timings.auditedMs],
      ['upstreamFirstByte', timings.upstreamFirstByteMs],
      ['finished', timings.finishedMs],
    ];
    const whole = Math.max(0.001, ...steps.map(([, ms]) => ms ?? 0));
    return html`<table class="timings">
      ${steps.map(([key, ms]) =>
        ms === undefined
          ? nothing
          : html`<tr>
              <th scope="row">${this.words.get(key)}</th>
              <td>${milliseconds(ms)}</td>
              <td><meter min="0" max=${whole} .value=${ms}></meter></td>
            </tr>`,
      )}
    </table>`;
  }

  #messages(messages: readonly CapturedMessage[]): TemplateResult {
    const t = this.words.get;
    const shown = messages.slice(-maxMessagesShown);
    return html`${shown.map((message) => {
      const cut = message.bytes > new TextEncoder().encode(message.text).length;
      return html`<div class="message">
        <p class="hint">
          ${message.direction === 'agent-to-server' ? '→' : '←'} ${clockTime(message.atMs)} · ${byteSize(message.bytes)}
          ${message.eventId ? html` · id ${oneLine(message.eventId, 80)}` : ''}
        </p>
        <mcp-text .text=${prettyMessage(message)} .words=${this.words}></mcp-text>
        ${cut ? html`<p class="hint">${t('cut', byteSize(message.bytes))}</p>` : ''}
      </div>`;
    })}`;
  }

  #tell(name: string, detail: string): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

customElements.define('mcp-exchange-detail', ExchangeDetailView);

function headers(list: HeaderList): TemplateResult {
  return html`<table class="headers">
    ${list.map(
      ([name, value]) =>
        html`<tr>
          <th scope="row">${oneLine(name)}</th>
          <td>${oneLine(value, 8_000)}</td>
        </tr>`,
    )}
  </table>`;
}

function isParsed({ request }: ExchangeDetail): boolean {
  return request !== undefined && request.text.trimStart().startsWith('{');
}
