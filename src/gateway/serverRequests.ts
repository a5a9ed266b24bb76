// Requests that the server makes of the agent (sampling, elicitation, roots, ping): each is a row of its own,
// open until the agent's answer arrives as a POST in the same session.
import type { RpcId, RpcMessage } from '../mcp/message.ts';
import type { ExchangeRecorder } from '../traffic/exchangeRecorder.ts';

/** Server requests that may wait at the same time per tunnel; the oldest row is closed as cancelled to make room. */
export const maxOpenServerRequests = 1_000;

type Waiting = { recorder: ExchangeRecorder; method: string; session: string | undefined };

export type BeginRow = (method: string, session: string | undefined) => ExchangeRecorder;

export class ServerRequests {
  readonly #begin: BeginRow;
  readonly #waiting = new Map<string, Waiting>();

  constructor(begin: BeginRow) {
    this.#begin = begin;
  }

  /** `text` is the request as the server wrote it. */
  opened(session: string | undefined, id: RpcId, method: string, text: string): void {
    const key = keyOf(session, id);
    if (this.#waiting.has(key)) return; // The same event again after a resumed stream.
    const recorder = this.#begin(method, session);
    recorder.request(Buffer.from(text));
    this.#waiting.set(key, { recorder, method, session });
    if (this.#waiting.size <= maxOpenServerRequests) return;
    const [oldestKey, oldest] = this.#waiting.entries().next().value!;
    this.#waiting.delete(oldestKey);
    oldest.recorder.finish({ status: 'cancelled', reason: 'the agent has not answered' });
  }

  /** The agent's answer; returns the method it answers, or `undefined` when nothing waits for it. */
  answered(session: string | undefined, message: RpcMessage, bytes: Buffer): string | undefined {
    if ((message.kind !== 'result' && message.kind !== 'error') || message.id === null) return undefined;
    const key = keyOf(session, message.id);
    const waiting = this.#waiting.get(key);
    if (!waiting) return undefined;
    this.#waiting.delete(key);
    waiting.recorder.message('agent-to-server', bytes);
    if (message.kind === 'result') waiting.recorder.finish({ status: 'ok' });
    else waiting.recorder.finish({ status: 'error', rpcCode: message.error.code, reason: message.error.message });
    return waiting.method;
  }

  /** Nobody will answer what this session was asked. */
  sessionEnded(session: string): void {
    for (const [key, waiting] of this.#waiting) {
      if (waiting.session !== session) continue;
      this.#waiting.delete(key);
      waiting.recorder.finish({ status: 'cancelled', reason: 'the session ended' });
    }
  }
}

function keyOf(session: string | undefined, id: RpcId): string {
  return JSON.stringify([session ?? null, id]);
}
