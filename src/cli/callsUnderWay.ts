// The calls of a tunnel that are not answered yet, as its traffic tells: who is told to end waits for them.
import type { ExchangeRow } from '../mcp/exchange.ts';

/** More are not told apart; the gateway's own bounds are far below. */
const maxCalls = 10_000;

export class CallsUnderWay {
  readonly #open = new Set<string>();
  #onNone: () => void = () => {};

  get count(): number {
    return this.#open.size;
  }

  /** Hears of each row whenever it changed. A stream has no answer that could be waited for. */
  see({ id, kind, status }: Pick<ExchangeRow, 'id' | 'kind' | 'status'>): void {
    if (status === 'pending' && kind === 'request') {
      if (this.#open.size < maxCalls) this.#open.add(id);
    } else if (this.#open.delete(id) && this.#open.size === 0) this.#onNone();
  }

  /** Resolves when none is under way, or `signal` says that it takes too long. */
  async none(signal: AbortSignal): Promise<void> {
    if (this.#open.size === 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#onNone = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}
