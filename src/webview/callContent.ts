// The parts of a call that people look for: what it was asked with and what came back, found in the recorded text.
import { isJsonObject, type JsonValue } from '../core/json.ts';
import type { CapturedMessage, ExchangeDetail } from '../protocol/inspector.ts';

/** Text longer than this is shown as it came: making it pretty would stop the page. */
export const maxPrettyCharacters = 2 * 1024 * 1024;

export type CallContent = {
  /** Pretty; the whole message where it could not be read as JSON-RPC. */
  parameters: string | undefined;
  answer: { kind: 'result' | 'error'; text: string } | undefined;
};

export function callContent({ request, messages, row }: ExchangeDetail): CallContent {
  const asked = request && parsed(request);
  const params = isJsonObject(asked) ? asked['params'] : undefined;
  const parameters = asked === undefined ? request?.text : params === undefined ? undefined : pretty(params);
  return { parameters, answer: answerIn(messages, row.status === 'ok' ? 'result' : 'error') };
}

function answerIn(messages: readonly CapturedMessage[], otherwise: 'result' | 'error'): CallContent['answer'] {
  for (const message of messages.toReversed()) {
    const value = parsed(message);
    if (!isJsonObject(value)) continue;
    if ('result' in value) return { kind: 'result', text: pretty(value['result'] ?? null) };
    if ('error' in value) return { kind: 'error', text: pretty(value['error'] ?? null) };
  }
  const last = messages[messages.length - 1];
  return last && parsed(last) === undefined ? { kind: otherwise, text: last.text } : undefined;
}

/** The message as it is read best: indented JSON, or what came. */
export function prettyMessage(message: CapturedMessage): string {
  const value = parsed(message);
  return value === undefined ? message.text : pretty(value);
}

function parsed({ text }: CapturedMessage): JsonValue | undefined {
  if (text.length > maxPrettyCharacters) return undefined;
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined; // It was cut, or is no JSON: shown as it came.
  }
}

function pretty(value: JsonValue): string {
  return JSON.stringify(value, null, 2);
}
