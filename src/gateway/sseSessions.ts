// Streams of the HTTP+SSE transport (2024-11-05) that agents have open: a call is posted in one exchange and answered on
// the stream, which is another. Here the two are brought together again, so that a call's row tells how it went.
import type { RpcId } from '../mcp/message.ts';
import type { AnswerObserver, AnswerOutcome } from './answerObserver.ts';
import type { EventWriter } from './eventWriter.ts';

/** Calls of one stream that wait for an answer; one more gets 429. */
export const maxWaitingCalls = 256;

type Waiting = { observer: AnswerObserver; finish: (outcome: AnswerOutcome) => void };

type Open = { writer: EventWriter; waiting: Map<RpcId, Waiting> };

export class SseSessions {
  readonly #open = new Map<string, Open>();

  opened(id: string, writer: EventWriter): void {
    this.#open.set(id, { writer, waiting: new Map() });
  }

  /** Whoever still waited hears nothing any more. */
  closed(id: string): void {
    const session = this.#open.get(id);
    this.#open.delete(id);
    for (const { finish } of new Set(session?.waiting.values())) {
      finish({ status: 'cancelled', reason: 'the agent’s stream ended' });
    }
  }

  /** A message of ours on the stream; false where nobody reads it. */
  say(id: string, text: string): boolean {
    return this.#open.get(id)?.writer.say(text) ?? false;
  }

  /** Before the calls are sent: their answers may be faster than the 202. False where too many wait, or the stream is over. */
  expect(id: string, waiting: Waiting): boolean {
    const session = this.#open.get(id);
    const ids = waiting.observer.unanswered;
    if (!session || session.waiting.size + ids.length > maxWaitingCalls) return false;
    for (const call of ids) session.waiting.set(call, waiting);
    return true;
  }

  /** Whether the calls are still to be answered. */
  waits(id: string, observer: AnswerObserver): boolean {
    const waiting = this.#open.get(id)?.waiting;
    return observer.unanswered.some((call) => waiting?.get(call)?.observer === observer);
  }

  /** They were not taken after all. */
  withdraw(id: string, observer: AnswerObserver): void {
    const waiting = this.#open.get(id)?.waiting;
    for (const call of observer.unanswered) waiting?.delete(call);
  }

  /** The server answered a call on the stream. */
  answered(id: string, call: RpcId, text: string): void {
    const session = this.#open.get(id);
    const waiting = session?.waiting.get(call);
    if (!waiting) return;
    session?.waiting.delete(call);
    waiting.observer.message(text);
    if (waiting.observer.unanswered.length === 0) waiting.finish(waiting.observer.outcome(200));
  }
}
