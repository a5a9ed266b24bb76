// A server that belongs to one session. Ids pass as they are: both sides number their requests as they like, and nobody
// else speaks to it. When it dies it is started again, and told what its agent had told it.
import type { RpcMessage } from '../mcp/message.ts';
import { Greeting } from './greeting.ts';
import { ServerLife, type ServerLifeOptions } from './serverLife.ts';
import { ServerRequestIds } from './serverRequestIds.ts';
import type { Initialised, SessionServer, SessionServerEvents } from './sessionServer.ts';

export type OwnServerOptions = Pick<ServerLifeOptions, 'open' | 'clock' | 'random' | 'limits' | 'emit'> & {
  sessionId: string;
  events: SessionServerEvents;
};

export class OwnServer implements SessionServer {
  readonly lendsIds = false;
  readonly canWait = true;
  readonly #greeting = new Greeting();
  readonly #asked = new ServerRequestIds();
  readonly #life: ServerLife;

  /** Throws `UPSTREAM_START`. */
  static async start(options: OwnServerOptions): Promise<OwnServer> {
    const server = new OwnServer(options);
    await server.#life.start();
    return server;
  }

  private constructor({ events, ...options }: OwnServerOptions) {
    this.#life = new ServerLife({
      ...options,
      greet: async (ask, say) => {
        this.#asked.renew();
        return this.#greeting.repeat(ask, say);
      },
      onMessage: (message) => {
        if (message.kind === 'answer') this.#greeting.answered(message);
        events.onMessage(this.#asked.toAgent(message));
      },
      onOverlong: events.onOverlong,
      onInterrupted: (error) => {
        this.#greeting.interrupted();
        events.onInterrupted(error);
      },
      onResumed: () => events.onResumed(this.#greeting.listChanges()),
      onOver: events.onOver,
    });
  }

  get hasRoom(): boolean {
    return this.#life.hasRoom;
  }

  async initialize(
    { id }: RpcMessage & { kind: 'request' },
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<Initialised> {
    const answer = await this.#life.initialize(id, body, signal);
    const failed = answer.code !== undefined;
    if (!failed) {
      this.#greeting.began(id, body, answer);
      this.#life.endure();
    }
    return { bytes: answer.bytes, failed };
  }

  send(message: RpcMessage, bytes: Uint8Array, overdue?: () => void): void {
    const said = this.#asked.toServer(message, bytes);
    if (!said) return;
    this.#greeting.sent(message, said);
    this.#life.send(said, overdue);
  }

  pause(): void {
    this.#life.pause();
  }

  resume(): void {
    this.#life.resume();
  }

  restart(why: string): void {
    this.#life.restart(why);
  }

  end(): Promise<void> {
    return this.#life.end();
  }
}
