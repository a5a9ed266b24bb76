// What the bridge itself says to a server, and what it hears: one message as a POST, and the messages of the answer one
// by one, whether they come as JSON or as events.
import { TunnelError } from '../../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { SseReader, type SseEvent } from '../../core/sse.ts';
import { classifyBody } from '../../mcp/classify.ts';
import { elementsOf, skipSpace } from '../../mcp/jsonRanges.ts';
import type { Era } from '../../mcp/message.ts';
import type { UpstreamRequest, UpstreamResponse } from '../upstream.ts';

/** Largest single message of an answer that is translated; a larger one ends the call with `LIMIT`. */
export const maxTranslatedBytes = 64 * 1024 * 1024;

/** A message as it was written, and what it says. */
export type Spoken = { text: string; message: JsonObject };

/** Headers of an agent that go along whatever the era: its transport's own do not. */
export function carriedHeaders(headers: Record<string, string>): Record<string, string> {
  const ours = (name: string): boolean => name.startsWith('mcp-') || OUR_HEADERS.has(name);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ours(name)));
}

const OUR_HEADERS: ReadonlySet<string> = new Set(['accept', 'content-type', 'content-length', 'last-event-id']);

export type PostOptions = {
  era: Era;
  principal: string;
  signal: AbortSignal;
  headers: Record<string, string>;
  sessionId?: string | undefined;
};

export function postOf(text: string, { era, principal, signal, headers, sessionId }: PostOptions): UpstreamRequest {
  const body = Buffer.from(text);
  const classified = classifyBody(body);
  if (classified.kind === 'invalid') throw new TunnelError('INTERNAL', `a translated message is ${classified.message}`);
  return {
    method: 'POST',
    headers: {
      ...headers,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(sessionId === undefined ? {} : { 'mcp-session-id': sessionId }),
    },
    body,
    messages: classified.messages,
    ...(sessionId === undefined ? {} : { sessionId }),
    era,
    principal,
    signal,
  };
}

/** Leaving the loop destroys the body. Throws `LIMIT` and, where it breaks off, `UPSTREAM_EXITED`. */
export async function* spokenIn(
  { headers, body }: UpstreamResponse,
  onEventId?: (id: string) => void,
): AsyncGenerator<Spoken, void, undefined> {
  if (!body) return;
  const isStream = /^text\/event-stream\b/i.test(headers['content-type'] ?? '');
  try {
    if (isStream) yield* eventsIn(body, onEventId);
    else yield* spokenOf(await whole(body));
  } catch (error) {
    if (error instanceof TunnelError) throw error;
    if (error instanceof RangeError) throw new TunnelError('LIMIT', error.message, { cause: error });
    throw new TunnelError('UPSTREAM_EXITED', 'the server broke off its answer', { cause: error });
  } finally {
    body.destroy();
  }
}

async function* eventsIn(
  body: AsyncIterable<Buffer>,
  onEventId: ((id: string) => void) | undefined,
): AsyncGenerator<Spoken, void, undefined> {
  const events: SseEvent[] = [];
  const reader = new SseReader({ maxEventBytes: maxTranslatedBytes, onEvent: (event) => events.push(event) });
  for await (const chunk of body) {
    reader.push(chunk);
    for (const { id, data } of events.splice(0)) {
      if (id !== undefined) onEventId?.(id);
      yield* spokenOf(data);
    }
  }
}

async function whole(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxTranslatedBytes)
      throw new RangeError(`an answer to translate is larger than ${maxTranslatedBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The messages of a text (a batch has several); none of a text that is no message. */
function spokenOf(text: string): Spoken[] {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    return []; // A priming event, an error page: whoever waits for an answer says that there was none.
  }
  if (isJsonObject(value)) return [{ text, message: value }];
  if (!Array.isArray(value)) return [];
  const texts = elementsOf(text, skipSpace(text, 0)).map(({ from, to }) => text.slice(from, to));
  return value.flatMap((message, index) => (isJsonObject(message) ? [{ text: texts[index]!, message }] : []));
}
