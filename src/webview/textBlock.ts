// A long text that a stranger wrote: only the first part is put on the page, more on request, all of it on copy.
import { html, LitElement, type TemplateResult } from 'lit';
import { byteSize } from './format.ts';
import type { Words } from './words.ts';

/** Characters put on the page at first, and with each "Show more". */
export const firstCharacters = 20_000;
export const moreCharacters = 200_000;

export class TextBlock extends LitElement {
  static override readonly properties = { text: { attribute: false }, words: { attribute: false } };
  declare text: string;
  declare words: Words;
  #limit = firstCharacters;

  protected override createRenderRoot(): this {
    return this; // The page's style sheet is for all of it.
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has('text')) this.#limit = firstCharacters;
  }

  protected override render(): TemplateResult {
    const left = this.text.length - this.#limit;
    return html`<pre tabindex="0">${left > 0 ? this.text.slice(0, this.#limit) : this.text}</pre>
      ${left > 0 ? html`<button class="more" @click=${this.#more}>${this.words.get('showMore', byteSize(left))}</button>` : ''}`;
  }

  readonly #more = (): void => {
    this.#limit += moreCharacters;
    this.requestUpdate();
  };
}

customElements.define('mcp-text', TextBlock);
