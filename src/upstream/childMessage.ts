// One line of a server's stdout: what it is and where it belongs. Lenient, because a server's bytes are passed on as
// they are; what is no JSON-RPC message at all is noise.
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { elementsOf, skipSpace } from '../mcp/jsonRanges.ts';
import type { RpcId } from '../mcp/message.ts';

export type ChildRequest = { kind: 'request'; id: RpcId; method: string; params: JsonObject; bytes: Uint8Array };
export type ChildNotification = {
  kind: 'notification';
  method: string;
  params: JsonObject;
  /** Of `notifications/progress`. */
  progressToken: RpcId | undefined;
  bytes: Uint8Array;
};
export type ChildAnswer = {
  kind: 'answer';
  id: RpcId | null;
  /** Of an error. */
  code: number | undefined;
  /** Of a result; empty for anything but an object. */
  result: JsonObject;
  bytes: Uint8Array;
};
export type ChildMessage = ChildRequest | ChildNotification | ChildAnswer;

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
    const params = isJsonObject(value['params']) ? value['params'] : {};
    if (isId(id)) return { kind: 'request', id, method, params, bytes };
    return { kind: 'notification', method, params, progressToken: progressTokenOf(method, params), bytes };
  }
  const { result, error } = value;
  if (result === undefined && error === undefined) return undefined;
  const code = isJsonObject(error) && typeof error['code'] === 'number' ? error['code'] : undefined;
  return {
    kind: 'answer',
    id: isId(id) ? id : null,
    code: error === undefined ? undefined : (code ?? 0),
    result: isJsonObject(result) ? result : {},
    bytes,
  };
}

function progressTokenOf(method: string, { progressToken }: JsonObject): RpcId | undefined {
  return method === 'notifications/progress' && isId(progressToken) ? progressToken : undefined;
}

function isId(id: JsonValue | undefined): id is RpcId {
  return typeof id === 'string' || typeof id === 'number';
}
