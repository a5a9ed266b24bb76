// Prints each JSON-RPC message as it passes: the request when it arrives, what comes on the way (progress, requests of
// the server), and the answer with its status, time and size.
import type { CapturedMessage, ExchangeRow } from '../mcp/exchange.ts';
import { clockTime, exchangeLine } from './exchangeLine.ts';
import { TrafficFollower } from './followTraffic.ts';
import type { Output } from './output.ts';
import type { HelperPeer } from './ownHelper.ts';

export class MessagePrinter {
  readonly #peer: HelperPeer;
  readonly #output: Output;
  readonly #follower: TrafficFollower;
  /** Messages printed of each exchange that is still open. */
  readonly #printed = new Map<string, number>();

  constructor(peer: HelperPeer, output: Output) {
    this.#peer = peer;
    this.#output = output;
    this.#follower = new TrafficFollower(peer, (row) => this.#changed(row));
  }

  start(): Promise<void> {
    return this.#follower.start();
  }

  /** Resolves when everything that has passed is printed. */
  catchUp(): Promise<void> {
    return this.#follower.catchUp();
  }

  async #changed(row: ExchangeRow): Promise<void> {
    const { messages } = await this.#peer.request('traffic/get', { id: row.id });
    // The last message of a finished exchange is its answer, which the exchange's own line stands for.
    const onTheWay = row.status === 'pending' ? messages : messages.slice(0, -1);
    for (const message of onTheWay.slice(this.#printed.get(row.id) ?? 0)) this.#print(row, message);
    this.#printed.set(row.id, onTheWay.length);
    if (row.status === 'pending') return;
    this.#printed.delete(row.id);
    this.#output.event({ event: 'exchange', ...row });
    this.#output.line('  ', ...exchangeLine(row));
  }

  #print(row: ExchangeRow, message: CapturedMessage): void {
    const method = methodOf(message.text);
    if (method === undefined) return;
    const arrow = message.direction === 'agent-to-server' ? '→' : '←';
    this.#output.line({
      text: `  ${clockTime(message.atMs)} ${arrow} ${row.agent.padEnd(18)} ${method}`,
      style: 'dim',
    });
  }
}

function methodOf(text: string): string | undefined {
  try {
    const { method, params } = JSON.parse(text) as { method?: string; params?: { progress?: number; total?: number } };
    if (method === undefined || params?.progress === undefined) return method;
    return `${method} ${params.progress}${params.total === undefined ? '' : `/${params.total}`}`;
  } catch {
    return undefined; // Cut at the capture limit.
  }
}
