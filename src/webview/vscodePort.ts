// The page inside VS Code: a Port over postMessage. The only file of the page that knows VS Code.
import type { Port } from '../protocol/port.ts';
import type { PageHost, PageState } from './pageHost.ts';

type VscodeApi = {
  postMessage(message: unknown): void;
  getState(): PageState | undefined;
  setState(state: unknown): void;
};
declare function acquireVsCodeApi(): VscodeApi;

export function vscodeHost(): PageHost {
  const api = acquireVsCodeApi();
  return {
    port: new VscodePort(api),
    load: () => api.getState() ?? {},
    save: (state) => api.setState(state),
  };
}

class VscodePort implements Port {
  /** Names this load of the page: answers meant for the one before it are not ours. */
  readonly #page = crypto.randomUUID();
  readonly #api: VscodeApi;

  constructor(api: VscodeApi) {
    this.#api = api;
  }

  send(text: string): void {
    this.#api.postMessage({ page: this.#page, text });
  }

  onMessage(receive: (text: string) => void): void {
    window.addEventListener('message', ({ data }: MessageEvent<{ page?: unknown; text?: unknown } | undefined>) => {
      if (data?.page === this.#page && typeof data.text === 'string') receive(data.text);
    });
  }

  onClose(): void {
    // The page ends with its host: nobody is left to be told.
  }

  close(): void {
    // See onClose.
  }
}
