// A connection to a server that speaks only HTTP+SSE, as a pipe of messages: so an agent of the newer transport gets
// sessions, replay and bounds in front of it that are those in front of a stdio server.
import { PassThrough, Readable, Writable } from 'node:stream';
import type { Clock } from '../core/clock.ts';
import { errorInfo } from '../core/errors.ts';
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { isId } from '../mcp/classify.ts';
import { failed, failureText } from '../mcp/failures.ts';
import type { RpcId } from '../mcp/message.ts';
import type { Exit } from './childProcess.ts';
import type { MessagePipe } from './messagePipe.ts';
import { eventsOf, isSseAnswer, type SseServer } from './sseServer.ts';
import type { UpstreamRequest } from './upstream.ts';

/** From the GET to the event that announces the message endpoint. */
export const endpointTimeoutMs = 10_000;

/** Throws `UPSTREAM_*` where no endpoint is announced; nothing stays open then. */
export async function openSsePipe(server: SseServer, clock: Clock): Promise<MessagePipe> {
  const ended = new AbortController();
  const timer = clock.after(endpointTimeoutMs, () => ended.abort());
  try {
    const answer = await server.open({ ...asking, signal: ended.signal });
    if (!isSseAnswer(answer)) {
      answer.body?.destroy();
      throw failed('NOT_MCP', `the server answered ${answer.status} where an event stream was asked for`);
    }
    const events = eventsOf(answer.body!);
    for (;;) {
      const { value: event, done } = await events.next();
      if (done) throw failed('NOT_MCP', 'the server ended its event stream without a message endpoint');
      if (event.type === 'endpoint') return new SsePipe(server, server.endpointIn(event), events, ended);
    }
  } catch (error) {
    const isLate = ended.signal.aborted;
    ended.abort();
    throw isLate ? failed('ANSWER_TIMEOUT', 'the server did not announce a message endpoint in time', error) : error;
  } finally {
    timer.cancel();
  }
}

/** A request of our own; no agent stands behind it. */
const asking: Omit<UpstreamRequest, 'signal'> = {
  method: 'GET',
  headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  messages: [],
  era: 'legacy',
  principal: '',
};

class SsePipe implements MessagePipe {
  readonly stdin: Writable;
  readonly stdout = new PassThrough();
  readonly stderr = Readable.from([]);
  readonly exited: Promise<Exit>;
  readonly #server: SseServer;
  readonly #endpoint: string;
  readonly #ended: AbortController;

  constructor(server: SseServer, endpoint: string, events: ReturnType<typeof eventsOf>, ended: AbortController) {
    this.#server = server;
    this.#endpoint = endpoint;
    this.#ended = ended;
    this.stdin = new Writable({
      // One after the other, so that the server hears them in their order.
      write: (line: Buffer, _encoding, done) => void this.#post(line).finally(done),
    });
    this.stdin.on('error', () => {}); // It is ending; `exited` tells.
    this.stdout.on('error', () => {});
    this.exited = this.#read(events);
  }

  async end(): Promise<void> {
    this.#ended.abort();
    await this.exited;
  }

  async #read(events: ReturnType<typeof eventsOf>): Promise<Exit> {
    try {
      for await (const { type, data } of events) {
        if (type !== 'message' || data === '') continue;
        if (!this.stdout.write(`${data.replaceAll('\n', ' ')}\n`)) await this.#room();
      }
    } catch {
      // It broke off, or we ended it: the end is all there is to say.
    }
    this.#ended.abort();
    this.stdin.destroy();
    this.stdout.end();
    return { code: 0, signal: null };
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.stdout.once('drain', resolve);
      this.#ended.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** A message that the server did not take is answered in its place: whoever waits must hear. */
  async #post(line: Buffer): Promise<void> {
    const { signal } = this.#ended;
    const body = line.subarray(0, -1);
    try {
      const answer = await this.#server.post(this.#endpoint, { ...asking, body, signal });
      answer.body?.destroy();
      if (answer.status < 400) return;
      this.#refused(body, failed('TARGET_HTTP', `the server answered ${answer.status} to a message`));
    } catch (error) {
      this.#refused(body, error);
    }
  }

  #refused(body: Buffer, error: unknown): void {
    const id = idIn(body);
    if (id === undefined || this.stdout.writableEnded) return;
    this.stdout.write(`${failureText(id, errorInfo(error))}\n`);
  }
}

/** The id of a request; `undefined` for what nobody waits for. */
function idIn(body: Buffer): RpcId | undefined {
  const value = JSON.parse(body.toString('utf8')) as JsonValue;
  return isJsonObject(value) && 'method' in value && isId(value['id']) ? value['id'] : undefined;
}
