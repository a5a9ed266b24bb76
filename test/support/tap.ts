// A wire that somebody listens in on: TCP to another port of this machine, recorded both ways. It can be cut, and it
// can go silent without a word, as a network does.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

export class Tap {
  readonly #server: Server;
  readonly #pairs = new Set<[Socket, Socket]>();
  readonly #recorded: Buffer[] = [];
  readonly #record: boolean;
  #silent = false;
  connections = 0;

  static async to(port: number, { record = false } = {}): Promise<Tap> {
    const tap = new Tap(port, record);
    tap.#server.listen(0, '127.0.0.1');
    await once(tap.#server, 'listening');
    return tap;
  }

  private constructor(to: number, record: boolean) {
    this.#record = record;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#join(near, to));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Every byte that passed, both ways. */
  get recorded(): Buffer {
    return Buffer.concat(this.#recorded);
  }

  /** Resets every connection that stands; new ones pass. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) if (!socket.writableEnded) socket.resetAndDestroy();
  }

  /** Resets the connection that stands longest; false where there is none. */
  cutOne(): boolean {
    const [oldest] = this.#pairs;
    for (const socket of oldest ?? []) if (!socket.writableEnded) socket.resetAndDestroy();
    return oldest !== undefined;
  }

  /** Resets the near side of the connection that stands longest; the far side never hears of it. */
  forsakeOne(): void {
    const [near, far] = [...this.#pairs][0] ?? [];
    far?.unpipe();
    near?.unpipe().removeAllListeners('close').resetAndDestroy();
  }

  /** Nothing passes any more, and nobody is told. */
  silence(): void {
    this.#silent = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.unpipe().pause();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    if (this.#server.listening) await once(this.#server, 'close');
  }

  #join(near: Socket, to: number): void {
    this.connections += 1;
    const far = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const pair: [Socket, Socket] = [near, far];
    this.#pairs.add(pair);
    for (const [from, into] of [pair, [far, near] as const]) {
      from.on('error', () => into.destroy());
      from.on('close', () => {
        this.#pairs.delete(pair);
        into.destroySoon();
      });
      if (this.#record) from.on('data', (chunk: Buffer) => this.#recorded.push(chunk));
      if (!this.#silent) from.pipe(into);
    }
  }
}
