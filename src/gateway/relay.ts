// The upstream's answer on its way to the agent: the same status, headers and bytes, chunk by chunk as they come, with
// the agent's pace as the pace. Only lists are ever changed: entries that the agent may not use are taken out.
import { TunnelError } from '../core/errors.ts';
import { SseReader, formatSse, type SseEvent } from '../core/sse.ts';
import type { UpstreamResponse } from '../upstream/upstream.ts';
import type { AnswerObserver } from './answerObserver.ts';
import { maxObservedBytes } from './answerObserver.ts';
import type { Exchange } from './exchange.ts';
import { towardsAgent } from './forwardHeaders.ts';
import { writable } from './http.ts';

/** Largest single server-sent event, and largest answer that is looked through for lists; a larger one is cut. */
export const maxEventBytes = 64 * 1024 * 1024;

/** The same message without what the agent may not see, or `undefined` when nothing had to go. */
export type FilterMessage = (text: string) => string | undefined;

export async function relayAnswer(
  exchange: Exchange,
  answer: UpstreamResponse,
  observer: AnswerObserver,
  filter: FilterMessage | undefined,
): Promise<void> {
  const isStream = /^text\/event-stream\b/i.test(answer.headers['content-type'] ?? '');
  const headers = towardsAgent(answer.headers);
  if (filter) {
    delete headers['content-length'];
    refuseUnreadable(answer);
  }
  if (exchange.signal.aborted) answer.body?.destroy();
  exchange.recorder.response(answer.status, Object.entries(headers));
  exchange.response.writeHead(answer.status, headers);

  if (!answer.body) {
    exchange.response.end();
    return;
  }
  const abort = (): void => void answer.body?.destroy();
  exchange.signal.addEventListener('abort', abort, { once: true });
  try {
    if (isStream) await relayEvents(exchange, answer.body, observer, filter);
    else if (filter) await relayFilteredJson(exchange, answer.body, observer, filter);
    else await relayJson(exchange, answer.body, observer);
    if (isStream) exchange.response.end();
  } catch (error) {
    throw explained(error);
  } finally {
    exchange.signal.removeEventListener('abort', abort);
    answer.body.destroy();
  }
}

async function relayEvents(
  exchange: Exchange,
  body: AsyncIterable<Buffer>,
  observer: AnswerObserver,
  filter: FilterMessage | undefined,
): Promise<void> {
  exchange.response.flushHeaders();
  const events: SseEvent[] = [];
  const reader = new SseReader({ maxEventBytes, onEvent: (event) => events.push(event) });
  for await (const chunk of body) {
    reader.push(chunk);
    const outgoing: Uint8Array[] = filter ? [] : [chunk];
    for (const event of events.splice(0)) {
      const changed = event.data === '' ? undefined : filter?.(event.data);
      if (changed !== undefined) exchange.recorder.flag('filtered');
      if (event.data !== '') observer.message(event.data, event.id);
      if (filter) outgoing.push(changed === undefined ? event.raw : rewritten(event, changed));
    }
    for (const bytes of outgoing) await write(exchange, bytes);
  }
  if (!filter) return;
  // An unfinished event is none (WHATWG HTML §9.2.6), but a lenient agent may read it all the same.
  const { rest } = reader;
  reader.push(Buffer.from('\n\n'));
  const isHidden = events.some(({ data }) => data !== '' && filter(data) !== undefined);
  if (!isHidden) await write(exchange, rest);
}

/** What cannot be read cannot be filtered; requests ask for `identity`. */
function refuseUnreadable(answer: UpstreamResponse): void {
  const encoding = answer.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return;
  answer.body?.destroy();
  throw new TunnelError('UPSTREAM_PROTOCOL', `the server compressed its answer (${encoding}) although nobody asked`);
}

/** The server broke off, or went over a bound of ours. */
function explained(error: unknown): Error {
  if (error instanceof TunnelError) return error;
  if (error instanceof RangeError) return new TunnelError('LIMIT', error.message, { cause: error });
  return new TunnelError('UPSTREAM_EXITED', 'the server broke off its answer', { cause: error });
}

function rewritten(event: SseEvent, data: string): Uint8Array {
  return Buffer.from(formatSse({ data, type: event.type, ...(event.id === undefined ? {} : { id: event.id }) }));
}

/**
 * Each chunk goes out when the next one comes, the last together with the end: a small answer is one write instead of
 * three, and half of a JSON text is of no use to anybody.
 */
async function relayJson(exchange: Exchange, body: AsyncIterable<Buffer>, observer: AnswerObserver): Promise<void> {
  const copy: Buffer[] = [];
  let copied = 0;
  let held: Uint8Array = Buffer.alloc(0);
  for await (const chunk of body) {
    // One byte more than is looked at shows the observer that there was more.
    const room = maxObservedBytes + 1 - copied;
    if (room > 0) copy.push(chunk.subarray(0, room));
    copied += Math.min(chunk.length, Math.max(room, 0));
    await write(exchange, held);
    held = chunk;
  }
  end(exchange, held);
  if (copied > 0) observer.message(Buffer.concat(copy).toString('utf8'));
}

async function relayFilteredJson(
  exchange: Exchange,
  body: AsyncIterable<Buffer>,
  observer: AnswerObserver,
  filter: FilterMessage,
): Promise<void> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxEventBytes)
      throw new RangeError(`an answer that is looked through for lists is larger than ${maxEventBytes} bytes`);
    chunks.push(chunk);
  }
  const whole = Buffer.concat(chunks);
  const text = whole.toString('utf8');
  const changed = filter(text);
  if (changed !== undefined) exchange.recorder.flag('filtered');
  if (text !== '') observer.message(text);
  end(exchange, changed === undefined ? whole : Buffer.from(changed));
}

function end(exchange: Exchange, last: Uint8Array): void {
  if (exchange.signal.aborted) return;
  exchange.recorder.responseBytes(last.length);
  if (last.length === 0) exchange.response.end();
  else exchange.response.end(last);
}

async function write(exchange: Exchange, bytes: Uint8Array): Promise<void> {
  if (bytes.length === 0 || exchange.signal.aborted) return;
  exchange.recorder.responseBytes(bytes.length);
  if (!exchange.response.write(bytes)) await writable(exchange.response);
}
