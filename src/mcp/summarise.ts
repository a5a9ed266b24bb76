// A message in two words, for a list, a log or a rule: what is asked, and of which tool, prompt or resource.
import { isJsonObject, type JsonValue } from '../core/json.ts';
import type { RpcMessage } from './message.ts';

/** Longest method and longest name that are kept; both were written by strangers. */
export const maxMethodLength = 128;
export const maxNameLength = 512;

export type Summary = { method: string; name?: string };

export function summarise(message: RpcMessage): Summary {
  if (message.kind === 'result' || message.kind === 'error') return { method: message.kind };
  const method = cut(message.method, maxMethodLength);
  const name = isJsonObject(message.params) ? nameOf(message.method, message.params) : undefined;
  return typeof name === 'string' ? { method, name: cut(name, maxNameLength) } : { method };
}

/** How a response went: `tool-error` is a result in which the tool itself reports failure. */
export function resultStatus(message: RpcMessage): 'ok' | 'error' | 'tool-error' {
  if (message.kind === 'error') return 'error';
  const failed = message.kind === 'result' && isJsonObject(message.result) && message.result['isError'] === true;
  return failed ? 'tool-error' : 'ok';
}

function nameOf(method: string, params: { [key: string]: JsonValue }): JsonValue | undefined {
  switch (method) {
    case 'tools/call':
    case 'prompts/get':
      return params['name'];
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
    case 'notifications/resources/updated':
      return params['uri'];
    case 'completion/complete': {
      const ref = params['ref'];
      return isJsonObject(ref) ? (ref['name'] ?? ref['uri']) : undefined;
    }
    default:
      return undefined;
  }
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
