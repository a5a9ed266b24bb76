// An event stream on its way to the agent. While nothing is hidden from the agent its bytes pass as they come; while
// something is, they pass event by event, each judged when it goes out. The rules may change between two chunks, and so
// in the middle of an event.
import { errorInfo, TunnelError } from '../core/errors.ts';
import { SseReader, formatSse, type SseEvent } from '../core/sse.ts';
import { failed, failureOf, failureText } from '../mcp/failures.ts';
import type { AnswerObserver, AnswerOutcome } from './answerObserver.ts';
import { EventWriter, type EventWriterOptions } from './eventWriter.ts';
import type { AnswerHead, Exchange } from './exchange.ts';
import { maxFilteredBytes, type FilterNow } from './listFilter.ts';
import { tooLongToFilter } from './refusals.ts';

export type EventStreamOptions = EventWriterOptions & {
  /** Whoever has something to say on this stream can do so from now on. */
  onWriter?: (writer: EventWriter) => void;
};

/** `overlong`: an event of more than {@link maxFilteredBytes}, which nobody has read. */
type Read = SseEvent | 'overlong';

export async function relayEvents(
  exchange: Exchange,
  { status, headers }: AnswerHead,
  body: AsyncIterable<Buffer>,
  observer: AnswerObserver,
  filterNow: FilterNow,
  options: EventStreamOptions,
): Promise<void | AnswerOutcome> {
  // What it says may not be what goes out: events are filtered, also later on, and comments stand between them.
  delete headers['content-length'];
  exchange.begin(status, { ...headers, 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' });
  exchange.response.flushHeaders();
  const writer = new EventWriter(exchange, options);
  options.onWriter?.(writer);
  try {
    return await relayWith(writer, exchange, body, observer, filterNow);
  } finally {
    writer.close();
  }
}

async function relayWith(
  writer: EventWriter,
  exchange: Exchange,
  body: AsyncIterable<Buffer>,
  observer: AnswerObserver,
  filterNow: FilterNow,
): Promise<void | AnswerOutcome> {
  const read: Read[] = [];
  const reader = new SseReader({
    maxEventBytes: maxFilteredBytes,
    onEvent: (event) => read.push(event),
    onOverlong: () => read.push('overlong'),
  });
  /** Bytes of the event in hand that went out while nothing was hidden. */
  let out = 0;
  let broken: unknown;
  for await (const chunk of untilBroken(body, (error) => (broken = error))) {
    // The rest of an event that was withheld must not go out by itself.
    const withheld = reader.isSkipping && out === 0;
    if (!filterNow() && !withheld) {
      const held = reader.heldBytes > out ? reader.rest.subarray(out) : nothing;
      reader.push(chunk);
      for (const event of read.splice(0)) observe(exchange, observer, event);
      out = reader.isInside ? Math.max(reader.heldBytes, 1) : 0;
      await writer.write(held.length === 0 ? chunk : Buffer.concat([held, chunk]), reader.isSkipping ? Infinity : out);
      continue;
    }
    if (reader.isSkipping && !withheld) return exchange.end(torn);
    reader.push(chunk);
    for (const event of read.splice(0)) {
      observe(exchange, observer, event);
      const outgoing = judged(event, out, filterNow);
      if (outgoing === 'torn') return exchange.end(torn);
      if (outgoing === 'too long') {
        if (await answerTooLong(exchange, writer, observer)) return;
        continue;
      }
      if (outgoing.filtered) exchange.recorder.flag('filtered');
      out = 0;
      await writer.write(outgoing.bytes, 0);
    }
  }
  if (broken !== undefined) return answerBroken(exchange, writer, observer, out > 0, broken);
  await exchange.write(ending(reader, read, out, filterNow));
  exchange.response.end();
}

/** The same chunks; where the server breaks off they end, and `onBroken` hears why. */
async function* untilBroken(body: AsyncIterable<Buffer>, onBroken: (error: unknown) => void): AsyncGenerator<Buffer> {
  try {
    yield* body;
  } catch (error) {
    onBroken(error);
  }
}

/**
 * The server broke off. Who waits for an answer gets an error in its place, which says that the call may have been carried
 * out; where nobody does, the stream breaks off for the agent, too.
 */
async function answerBroken(
  exchange: Exchange,
  writer: EventWriter,
  observer: AnswerObserver,
  isInside: boolean,
  cause: unknown,
): Promise<AnswerOutcome> {
  const { unanswered } = observer;
  const error =
    cause instanceof TunnelError ? cause : failed('ANSWER_BROKEN', 'the server broke off its answer', cause);
  if (unanswered.length === 0 || exchange.signal.aborted) throw error;
  const info = errorInfo(error);
  const { code, source, rpc } = failureOf(info);
  exchange.recorder.flag('synthesised');
  // Half an event would take the error for its own line: it is ended as one of a type that nobody listens to.
  if (isInside) await writer.write(Buffer.from('\nevent: incomplete\n\n'), 0);
  for (const id of unanswered) {
    const text = failureText(id, info);
    observer.message(text);
    await writer.write(Buffer.from(formatSse({ type: 'message', data: text })), 0);
  }
  exchange.response.end();
  return { status: 'failed', rpcCode: rpc, reason: error.message, failure: { code, source } };
}

/** What goes out of an event of which `out` bytes are out already. */
function judged(
  event: Read,
  out: number,
  filterNow: FilterNow,
): { bytes: Uint8Array; filtered: boolean } | 'torn' | 'too long' {
  if (event === 'overlong') return out > 0 ? 'torn' : 'too long';
  const changed = event.data === '' ? undefined : filterNow()?.(event.data);
  if (changed === undefined) return { bytes: event.raw.subarray(out), filtered: false };
  if (out > 0) return 'torn';
  return { bytes: changed === '' ? nothing : rewritten(event, changed), filtered: true };
}

/** An unfinished event is none (WHATWG HTML §9.2.6), but a lenient agent may read it all the same. */
function ending(reader: SseReader, read: Read[], out: number, filterNow: FilterNow): Uint8Array {
  if (reader.isSkipping) return nothing;
  const rest = reader.rest.subarray(out);
  const filter = filterNow();
  if (!filter) return rest;
  reader.push(Buffer.from('\n\n'));
  const isHidden = read.some(
    (event) => event === 'overlong' || (event.data !== '' && filter(event.data) !== undefined),
  );
  return isHidden ? nothing : rest;
}

/**
 * What cannot be looked through is not passed on, and the agent hears so: who waits for an answer gets an error in its
 * place, and the stream ends. Where nobody does, the next event follows.
 */
async function answerTooLong(exchange: Exchange, writer: EventWriter, observer: AnswerObserver): Promise<boolean> {
  const waiting = observer.unanswered;
  exchange.recorder.flag('truncated');
  for (const id of waiting) {
    const text = tooLongToFilter(id, maxFilteredBytes);
    observer.message(text);
    await writer.write(Buffer.from(formatSse({ type: 'message', data: text })), 0);
  }
  if (waiting.length === 0) return false;
  exchange.response.end();
  return true;
}

function observe(exchange: Exchange, observer: AnswerObserver, event: Read): void {
  if (event === 'overlong') exchange.recorder.flag('truncated');
  // What an `endpoint` event holds is the id of a session (2024-11-05), and no message.
  else if (event.data !== '' && event.type !== 'endpoint') observer.message(event.data, event.id);
}

const torn = 'the rules changed in the middle of a message';

const nothing = new Uint8Array(0);

function rewritten(event: SseEvent, data: string): Uint8Array {
  return Buffer.from(formatSse({ data, type: event.type, ...(event.id === undefined ? {} : { id: event.id }) }));
}
