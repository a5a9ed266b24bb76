// One line of a server's stdout: what it is and where it belongs. Lenient, because a server's bytes are passed on as
// they are; what is no JSON-RPC message at all is noise.
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { elementsOf, skipSpace } from '../mcp/jsonRanges.ts';
import type { RpcId } from '../mcp/message.ts';

export type ChildMessage =
  | { kind: 'request' | 'notification'; method: string; progressToken: RpcId | undefined; bytes: Uint8Array }
  | { kind: 'answer'; id: RpcId | null; bytes: Uint8Array };

/** The messages of a line (a batch has several), or `undefined` when it is noise. */
export function readChildLine(line: string, bytes: Uint8Array): ChildMessage[] | undefined {
  const first = line.charCodeAt(skipSpace(line, 0));
  if (first !== 0x7b && first !== 0x5b) return undefined;
  let value: JsonValue;
  try {
    value = JSON.parse(line) as JsonValue;
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) {
    const message = readOne(value, bytes);
    return message && [message];
  }
  const texts = elementsOf(line, skipSpace(line, 0)).map(({ from, to }) => line.slice(from, to));
  const messages = value.map((element, index) => readOne(element, Buffer.from(texts[index]!)));
  return messages.every((message) => message !== undefined) && messages.length > 0 ? messages : undefined;
}

function readOne(value: JsonValue, bytes: Uint8Array): ChildMessage | undefined {
  if (!isJsonObject(value) || value['jsonrpc'] !== '2.0') return undefined;
  const { id, method } = value;
  if (typeof method === 'string') {
    const kind = id === undefined || id === null ? 'notification' : 'request';
    return { kind, method, progressToken: progressTokenOf(method, value), bytes };
  }
  if (!Object.hasOwn(value, 'result') && !Object.hasOwn(value, 'error')) return undefined;
  return { kind: 'answer', id: isId(id) ? id : null, bytes };
}

function progressTokenOf(method: string, value: JsonObject): RpcId | undefined {
  if (method !== 'notifications/progress' || !isJsonObject(value['params'])) return undefined;
  const token = value['params']['progressToken'];
  return isId(token) ? token : undefined;
}

function isId(id: JsonValue | undefined): id is RpcId {
  return typeof id === 'string' || typeof id === 'number';
}
