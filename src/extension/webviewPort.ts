// A Port over a webview's postMessage. Each load of the page is a page of its own, named in every message: answers to
// a page that was reloaded must not reach the one that took its place.
import type { Port } from '../protocol/port.ts';

/** The part of VS Code's `Webview` that is needed. */
export type WebviewLike = {
  postMessage(message: unknown): PromiseLike<boolean>;
  onDidReceiveMessage(receive: (message: unknown) => void): { dispose(): void };
};

type Envelope = { page: string; text: string };

/** Calls `opened` with the Port of each page that loads; the one before it is closed first. */
export function acceptPages(webview: WebviewLike, opened: (port: Port) => void): { dispose(): void } {
  let current: PagePort | undefined;
  const listening = webview.onDidReceiveMessage((message) => {
    if (!isEnvelope(message)) return;
    if (current?.page !== message.page) {
      current?.close();
      current = new PagePort(webview, message.page);
      opened(current);
    }
    current.deliver(message.text);
  });
  return {
    dispose() {
      listening.dispose();
      current?.close();
    },
  };
}

class PagePort implements Port {
  readonly page: string;
  readonly #webview: WebviewLike;
  readonly #early: string[] = [];
  #receive: ((text: string) => void) | undefined;
  #onClose: (() => void) | undefined;
  #closed = false;

  constructor(webview: WebviewLike, page: string) {
    this.#webview = webview;
    this.page = page;
  }

  send(text: string): void {
    if (!this.#closed) void this.#webview.postMessage({ page: this.page, text } satisfies Envelope);
  }

  onMessage(receive: (text: string) => void): void {
    this.#receive = receive;
    for (const text of this.#early.splice(0)) receive(text);
  }

  onClose(closed: () => void): void {
    if (this.#closed) closed();
    else this.#onClose = closed;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose?.();
  }

  deliver(text: string): void {
    if (this.#receive) this.#receive(text);
    else this.#early.push(text);
  }
}

function isEnvelope(message: unknown): message is Envelope {
  const { page, text } = (message ?? {}) as Partial<Envelope>;
  return typeof page === 'string' && typeof text === 'string';
}
