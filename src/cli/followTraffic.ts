// Follows a helper's traffic with a cursor: reads what is new when told that there is something, one read at a time.
import type { ExchangeRow } from '../mcp/exchange.ts';
import type { HelperPeer } from './ownHelper.ts';

/** Rows asked for at once. */
const pageSize = 500;

export class TrafficFollower {
  readonly #peer: HelperPeer;
  readonly #onRow: (row: ExchangeRow) => void | Promise<void>;
  #after = 0;
  #reading: Promise<void> | undefined;
  #again = false;

  /** `onRow` hears of each row whenever it changed; rows that changed twice meanwhile come once, in their newest state. */
  constructor(peer: HelperPeer, onRow: (row: ExchangeRow) => void | Promise<void>) {
    this.#peer = peer;
    this.#onRow = onRow;
    peer.on('traffic/changed', () => void this.catchUp());
  }

  async start(): Promise<void> {
    await this.#peer.request('traffic/watch', { on: true });
    await this.catchUp();
  }

  /** Resolves when everything that there is now was handed on. */
  catchUp(): Promise<void> {
    this.#again = true;
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #read(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      const page = await this.#peer.request('traffic/read', { after: this.#after, max: pageSize });
      this.#after = page.next;
      this.#again ||= page.more;
      // Lines of the server are for the inspector; here are exchanges.
      for (const row of page.rows) if (row.kind !== 'event') await this.#onRow(row);
    }
  }
}
