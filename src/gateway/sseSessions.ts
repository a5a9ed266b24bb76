// Streams of the HTTP+SSE transport (2024-11-05) that agents have open: a call is posted in one exchange and answered on
// the stream, which is another. Here the two are brought together again, so that a call's row tells how it went.
import { isJsonObject, type JsonValue } from '../core/json.ts';
import type { RpcId } from '../mcp/message.ts';
import type { AnswerObserver, AnswerOutcome } from './answerObserver.ts';
import type { EventWriter } from './eventWriter.ts';
import type { FilterNow } from './listFilter.ts';

/** Calls of one stream that wait for an answer; one more gets 429. */
export const maxWaitingCalls = 256;

type Waiting = { observer: AnswerObserver; finish: (outcome: AnswerOutcome) => void };

/** `ended`: calls that we answered ourselves; what the server says to them goes nowhere. The oldest of {@link maxWaitingCalls} makes room. */
type Open = { writer: EventWriter; waiting: Map<RpcId, Waiting>; ended: Set<RpcId> };

export class SseSessions {
  readonly #open = new Map<string, Open>();

  opened(id: string, writer: EventWriter): void {
    this.#open.set(id, { writer, waiting: new Map(), ended: new Set() });
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

  /** Of these calls the first whose id another call has that waits: nobody could tell their answers apart. */
  inUse(id: string, observer: AnswerObserver): RpcId | undefined {
    const waiting = this.#open.get(id)?.waiting;
    return observer.unanswered.find((call) => waiting?.has(call));
  }

  /** Whether one of the calls is still to be answered. */
  waits(id: string, observer: AnswerObserver): boolean {
    const waiting = this.#open.get(id)?.waiting;
    return observer.unanswered.some((call) => waiting?.get(call)?.observer === observer);
  }

  /** They were not taken after all. */
  withdraw(id: string, observer: AnswerObserver): void {
    const waiting = this.#open.get(id)?.waiting;
    for (const call of observer.unanswered) waiting?.delete(call);
  }

  /** They may not be made any more: whoever waits hears `answers`, and not what the server still says to them. */
  cutOff(id: string, observer: AnswerObserver, answers: ReadonlyMap<RpcId, string>): void {
    const session = this.#open.get(id);
    if (!session) return;
    const { waiting, ended, writer } = session;
    for (const call of observer.unanswered) {
      if (waiting.get(call)?.observer !== observer) continue;
      waiting.delete(call);
      ended.add(call);
      if (ended.size > maxWaitingCalls) ended.delete(ended.values().next().value!);
      const text = answers.get(call);
      if (text !== undefined) writer.say(text);
    }
  }

  /** The same rules, and nothing of calls that were cut off. */
  withoutCutOff(id: string, filterNow: FilterNow): FilterNow {
    return () => {
      const filter = filterNow();
      const ended = this.#open.get(id)?.ended;
      if (!ended?.size) return filter;
      return (text) => (answersOneOf(ended, text) ? '' : filter?.(text));
    };
  }

  /** The server answered a call on the stream. */
  answered(id: string, call: RpcId, text: string): void {
    const session = this.#open.get(id);
    const waiting = session?.waiting.get(call);
    if (!waiting) return;
    session?.waiting.delete(call);
    waiting.observer.message(text);
    if (!this.waits(id, waiting.observer)) waiting.finish(waiting.observer.outcome(200));
  }

  /** The agent withdrew a call: an answer is not to be waited for (2024-11-05, "Cancellation"). */
  withdrawn(id: string, call: RpcId): void {
    const session = this.#open.get(id);
    const waiting = session?.waiting.get(call);
    if (!waiting) return;
    session?.waiting.delete(call);
    if (!this.waits(id, waiting.observer)) waiting.finish({ status: 'cancelled', reason: 'the agent withdrew it' });
  }
}

/** Once each: the agent may use the id again. */
function answersOneOf(ended: Set<RpcId>, text: string): boolean {
  let message: JsonValue;
  try {
    message = JSON.parse(text) as JsonValue;
  } catch {
    return false; // What is no JSON answers nobody.
  }
  return isJsonObject(message) && !Object.hasOwn(message, 'method') && ended.delete(message['id'] as RpcId);
}
