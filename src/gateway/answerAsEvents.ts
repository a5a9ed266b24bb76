// The answer of a server to an agent that already reads an event stream, because its call waited for a person: as an event.
import { Readable } from 'node:stream';
import { errorInfo, TunnelError } from '../core/errors.ts';
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { formatSse } from '../core/sse.ts';
import { failed, failureText } from '../mcp/failures.ts';
import type { RpcId } from '../mcp/message.ts';
import type { UpstreamResponse } from '../upstream/upstream.ts';
import { maxFilteredBytes } from './listFilter.ts';
import { isEventStream } from './relay.ts';

/** Throws `LIMIT` for one that is too large to be held, `UPSTREAM_*` where it breaks off. */
export async function answerAsEvents(
  answer: UpstreamResponse,
  id: RpcId | null,
  signal: AbortSignal,
): Promise<UpstreamResponse> {
  if (isEventStream(answer) && answer.status < 300) return answer;
  const text = answer.body ? await textOf(answer.body, signal) : '';
  const data = answers(text, id)
    ? text
    : failureText(id, errorInfo(failed('TARGET_HTTP', 'the server did not take the message')));
  const body = Readable.from([Buffer.from(formatSse({ type: 'message', data }))], { objectMode: false });
  return { ...answer, status: 200, headers: { 'content-type': 'text/event-stream' }, body };
}

function answers(text: string, id: RpcId | null): boolean {
  try {
    const value = JSON.parse(text) as JsonValue;
    return isJsonObject(value) && value['id'] === id && ('result' in value || 'error' in value);
  } catch {
    return false; // It is no answer to the call, whatever else it says.
  }
}

async function textOf(body: Readable, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const stop = (): void => void body.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxFilteredBytes)
        throw new TunnelError('LIMIT', `an answer is larger than ${maxFilteredBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof TunnelError) throw error;
    throw failed('ANSWER_BROKEN', 'the server broke off its answer', error);
  } finally {
    signal.removeEventListener('abort', stop);
    body.destroy();
  }
  return Buffer.concat(chunks).toString('utf8');
}
