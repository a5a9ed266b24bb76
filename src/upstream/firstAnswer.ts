// The result of a request of our own, read from an answer that may be JSON or an event stream.
import type { Readable } from 'node:stream';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { SseReader } from '../core/sse.ts';
import type { UpstreamResponse } from './upstream.ts';

/** Bytes of an answer that are read; a longer one is none. */
export const maxAnswerBytes = 1_048_576;

/** Ends the body. `undefined` where there is no result: an error, something else, or nothing. */
export async function firstAnswer({ status, headers, body }: UpstreamResponse): Promise<JsonObject | undefined> {
  if (!body) return undefined;
  try {
    if (status >= 300) return undefined;
    return isEventStream(headers) ? await fromEvents(body) : resultIn(await whole(body));
  } catch {
    return undefined; // It broke off, or was too long: there is no answer in it.
  } finally {
    body.destroy();
  }
}

export function isEventStream(headers: Record<string, string>): boolean {
  return /^text\/event-stream\b/i.test(headers['content-type'] ?? '');
}

async function fromEvents(body: Readable): Promise<JsonObject | undefined> {
  const texts: string[] = [];
  const reader = new SseReader({ maxEventBytes: maxAnswerBytes, onEvent: ({ data }) => texts.push(data) });
  for await (const chunk of body) {
    reader.push(chunk as Buffer);
    for (const text of texts.splice(0)) {
      const result = resultIn(text);
      if (result) return result;
    }
  }
  return undefined;
}

async function whole(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxAnswerBytes) throw new RangeError(`an answer is larger than ${maxAnswerBytes} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function resultIn(text: string): JsonObject | undefined {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    return undefined; // A priming event, or a server that does not speak JSON.
  }
  const result = isJsonObject(value) ? value['result'] : undefined;
  return isJsonObject(result) ? result : undefined;
}
