// Headers may repeat what the body says (2026-07-28: `Mcp-Method`, `Mcp-Name`, `MCP-Protocol-Version`), so that
// intermediaries need not parse it. One that contradicts the body is an attempt to show two of them different things.
// A header that is absent is the server's business: the body has decided here.
import { isJsonObject } from '../core/json.ts';
import { namedVersion } from './classify.ts';
import type { Era, RpcId, RpcMessage } from './message.ts';
import { rpcCode } from './rpcErrors.ts';
import { decodeUtf8Strict } from './strictJson.ts';

/** Answered with HTTP 400. */
export type HeaderMismatch = { rpcCode: typeof rpcCode.headerMismatch; message: string; id: RpcId | null };

/** `headers` have lower-case names. */
export function checkHeaders(
  headers: Readonly<Record<string, string>>,
  messages: readonly RpcMessage[],
  era: Era,
): HeaderMismatch | undefined {
  for (const message of messages) {
    const header = contradiction(headers, message, era);
    if (header === undefined) continue;
    const id = message.kind === 'request' ? message.id : null;
    return { rpcCode: rpcCode.headerMismatch, message: `Header mismatch: ${header} does not match the body`, id };
  }
  return undefined;
}

/** The name of the first header that says something else than `message`. */
function contradiction(headers: Readonly<Record<string, string>>, message: RpcMessage, era: Era): string | undefined {
  const method = headers['mcp-method'];
  const isCall = message.kind === 'request' || message.kind === 'notification';
  if (method !== undefined && decodeHeader(method) !== (isCall ? message.method : undefined)) return 'Mcp-Method';

  const name = headers['mcp-name'];
  const named = nameInBody(message);
  if (name !== undefined && named !== undefined && decodeHeader(name) !== named.name) return 'Mcp-Name';

  const version = headers['mcp-protocol-version'];
  const inBody = namedVersion(message);
  if (era === 'modern' && version !== undefined && inBody !== undefined && version !== inBody) {
    return 'MCP-Protocol-Version';
  }
  return undefined;
}

const NAME_FIELD: Readonly<Record<string, 'name' | 'uri'>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};

/** What `Mcp-Name` must repeat; `undefined` for methods that have no such header. */
function nameInBody(message: RpcMessage): { name: string | undefined } | undefined {
  if (message.kind !== 'request' && message.kind !== 'notification') return undefined;
  const field = Object.hasOwn(NAME_FIELD, message.method) ? NAME_FIELD[message.method] : undefined;
  if (field === undefined) return undefined;
  const name = isJsonObject(message.params) ? message.params[field] : undefined;
  return { name: typeof name === 'string' ? name : undefined };
}

const WRAPPED = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/;

/** A header value as text; `undefined` where its `=?base64?…?=` wrapping holds no valid UTF-8. */
export function decodeHeader(value: string): string | undefined {
  if (!value.startsWith('=?base64?') || !value.endsWith('?=')) return value;
  const encoded = WRAPPED.exec(value)?.[1];
  if (encoded === undefined || encoded.length % 4 !== 0) return undefined; // `atob` takes what lacks its padding.
  try {
    return decodeUtf8Strict(Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0)));
  } catch {
    return undefined; // Not base64, or not UTF-8: it equals nothing.
  }
}
