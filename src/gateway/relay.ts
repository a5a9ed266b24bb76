// The upstream's answer on its way to the agent: the same status, headers and bytes, chunk by chunk as they come, with
// the agent's pace as the pace. Only what the agent may not see is ever taken out, by the rules as they are at that
// moment: they may change while an answer is on its way.
import { TunnelError } from '../core/errors.ts';
import { failed } from '../mcp/failures.ts';
import type { UpstreamResponse } from '../upstream/upstream.ts';
import type { AnswerObserver, AnswerOutcome } from './answerObserver.ts';
import type { Exchange } from './exchange.ts';
import { towardsAgent } from './forwardHeaders.ts';
import type { FilterNow } from './listFilter.ts';
import { relayEvents, type EventStreamOptions } from './relayEvents.ts';
import { relayJson } from './relayJson.ts';

export async function relayAnswer(
  exchange: Exchange,
  answer: UpstreamResponse,
  observer: AnswerObserver,
  filterNow: FilterNow,
  options: EventStreamOptions,
): Promise<void | AnswerOutcome> {
  const { body } = answer;
  if (exchange.signal.aborted) return void body?.destroy();
  for (const mark of answer.marks ?? []) exchange.recorder.flag(mark);
  const head = { status: answer.status, headers: towardsAgent(answer.headers) };
  if (!body) {
    exchange.begin(head.status, head.headers);
    exchange.response.end();
    return;
  }
  exchange.onOver(() => void body.destroy());
  try {
    const readable = readableFilter(answer, filterNow);
    if (isEventStream(answer)) {
      return await relayEvents(
        exchange,
        head,
        body,
        observer,
        readable,
        isPlain(answer) ? options : { ...options, keepAliveMs: undefined },
      );
    }
    await relayJson(exchange, head, body, observer, readable);
  } catch (error) {
    throw explained(error);
  } finally {
    body.destroy();
  }
}

export function isEventStream({ headers }: UpstreamResponse): boolean {
  return /^text\/event-stream\b/i.test(headers['content-type'] ?? '');
}

/** What cannot be read cannot be filtered; requests ask for `identity`. */
function readableFilter(answer: UpstreamResponse, filterNow: FilterNow): FilterNow {
  const encoding = answer.headers['content-encoding'];
  if (isPlain(answer)) return filterNow;
  return () => {
    if (!filterNow()) return undefined;
    throw new TunnelError('UPSTREAM_PROTOCOL', `the server compressed its answer (${encoding}) although nobody asked`);
  };
}

/** Nobody can tell where events end that are compressed. */
function isPlain({ headers }: UpstreamResponse): boolean {
  return (headers['content-encoding'] ?? 'identity') === 'identity';
}

/** The server broke off, or went over a bound of ours. */
function explained(error: unknown): Error {
  if (error instanceof TunnelError) return error;
  return failed('ANSWER_BROKEN', 'the server broke off its answer', error);
}
