// An event stream on its way to the agent. While nothing is hidden from the agent its bytes pass as they come; while
// something is, they pass event by event, each judged when it goes out. The rules may change between two chunks, and so
// in the middle of an event.
import { SseReader, formatSse, type SseEvent } from '../core/sse.ts';
import type { AnswerObserver } from './answerObserver.ts';
import type { AnswerHead, Exchange } from './exchange.ts';
import { maxFilteredBytes, type FilterNow } from './listFilter.ts';
import { tooLongToFilter } from './refusals.ts';

/** `overlong`: an event of more than {@link maxFilteredBytes}, which nobody has read. */
type Read = SseEvent | 'overlong';

export async function relayEvents(
  exchange: Exchange,
  { status, headers }: AnswerHead,
  body: AsyncIterable<Buffer>,
  observer: AnswerObserver,
  filterNow: FilterNow,
): Promise<void> {
  // What it says may not be what goes out: events are filtered, also later on.
  delete headers['content-length'];
  exchange.begin(status, headers);
  exchange.response.flushHeaders();

  const read: Read[] = [];
  const reader = new SseReader({
    maxEventBytes: maxFilteredBytes,
    onEvent: (event) => read.push(event),
    onOverlong: () => read.push('overlong'),
  });
  /** Bytes of the event in hand that went out while nothing was hidden. */
  let out = 0;
  for await (const chunk of body) {
    // The rest of an event that was withheld must not go out by itself.
    const withheld = reader.isSkipping && out === 0;
    if (!filterNow() && !withheld) {
      const held = reader.heldBytes > out ? reader.rest.subarray(out) : nothing;
      reader.push(chunk);
      for (const event of read.splice(0)) observe(exchange, observer, event);
      out = reader.isInside ? Math.max(reader.heldBytes, 1) : 0;
      await exchange.write(held.length === 0 ? chunk : Buffer.concat([held, chunk]));
      continue;
    }
    if (reader.isSkipping && !withheld) return exchange.end(torn);
    reader.push(chunk);
    for (const event of read.splice(0)) {
      observe(exchange, observer, event);
      const outgoing = judged(event, out, filterNow);
      if (outgoing === 'torn') return exchange.end(torn);
      if (outgoing === 'too long') {
        if (await answerTooLong(exchange, observer)) return;
        continue;
      }
      if (outgoing.filtered) exchange.recorder.flag('filtered');
      out = 0;
      await exchange.write(outgoing.bytes);
    }
  }
  await exchange.write(ending(reader, read, out, filterNow));
  exchange.response.end();
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
async function answerTooLong(exchange: Exchange, observer: AnswerObserver): Promise<boolean> {
  const waiting = observer.unanswered;
  exchange.recorder.flag('truncated');
  for (const id of waiting) {
    const text = tooLongToFilter(id, maxFilteredBytes);
    observer.message(text);
    await exchange.write(Buffer.from(formatSse({ type: 'message', data: text })));
  }
  if (waiting.length === 0) return false;
  exchange.response.end();
  return true;
}

function observe(exchange: Exchange, observer: AnswerObserver, event: Read): void {
  if (event === 'overlong') exchange.recorder.flag('truncated');
  else if (event.data !== '') observer.message(event.data, event.id);
}

const torn = 'the rules changed in the middle of a message';

const nothing = new Uint8Array(0);

function rewritten(event: SseEvent, data: string): Uint8Array {
  return Buffer.from(formatSse({ data, type: event.type, ...(event.id === undefined ? {} : { id: event.id }) }));
}
