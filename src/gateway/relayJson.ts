// An answer in one piece on its way to the agent. While nothing is hidden from the agent each chunk goes out when the
// next one comes, the last together with the end: a small answer is one write instead of three, and half of a JSON text
// is of no use to anybody. While something is, all of it is held, and judged when it is whole.
import type { Readable } from 'node:stream';
import { TunnelError } from '../core/errors.ts';
import type { AnswerObserver } from './answerObserver.ts';
import { maxObservedBytes } from './answerObserver.ts';
import { eachChunk } from './eachChunk.ts';
import type { AnswerHead, Exchange } from './exchange.ts';
import { maxFilteredBytes, type FilterNow } from './listFilter.ts';

export async function relayJson(
  exchange: Exchange,
  head: AnswerHead,
  body: Readable,
  observer: AnswerObserver,
  filterNow: FilterNow,
): Promise<void> {
  const copy: Buffer[] = [];
  let copied = 0;
  let held: Buffer[] = [];
  let heldBytes = 0;
  let begun = false;
  let isBrokenOff = false;
  await eachChunk(body, (chunk) => {
    if (copied <= maxObservedBytes) {
      // One byte more than is looked at shows the observer that there was more.
      copy.push(chunk.subarray(0, maxObservedBytes + 1 - copied));
      copied += chunk.length;
    }
    if (filterNow()) {
      if (begun) {
        isBrokenOff = true;
        return 'stop';
      }
      if (heldBytes + chunk.length > maxFilteredBytes) {
        const message = `an answer that is looked through for what the agent may not see is larger than ${maxFilteredBytes} bytes`;
        throw new TunnelError('LIMIT', message);
      }
      held.push(chunk);
      heldBytes += chunk.length;
      return undefined;
    }
    if (held.length > 0 && !begun) {
      begun = true;
      exchange.begin(head.status, head.headers);
    }
    const ready = held;
    held = [chunk];
    heldBytes = chunk.length;
    return writeAll(exchange, ready);
  });
  if (isBrokenOff) return exchange.end(changed);

  const whole = joined(held);
  const filter = filterNow();
  if (filter && begun) return exchange.end(changed);
  const filtered = filter?.(whole.toString('utf8'));
  const last = filtered === undefined ? whole : Buffer.from(filtered);
  if (filtered !== undefined) {
    exchange.recorder.flag('filtered');
    if (head.headers['content-length'] !== undefined) head.headers['content-length'] = String(last.length);
  }
  if (!begun) exchange.begin(head.status, head.headers);
  exchange.finish(last);
  if (copied > 0) observer.message(joined(copy).toString('utf8'));
}

const changed = 'the rules changed in the middle of this answer';

/** `undefined` where there is nothing to wait for. */
function writeAll(exchange: Exchange, chunks: readonly Buffer[]): Promise<void> | undefined {
  return chunks.length === 0 ? undefined : writeEach(exchange, chunks);
}

async function writeEach(exchange: Exchange, chunks: readonly Buffer[]): Promise<void> {
  for (const bytes of chunks) await exchange.write(bytes);
}

function joined(chunks: Buffer[]): Buffer {
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}
