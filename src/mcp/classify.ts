// From the bytes of a request body to the messages in it, or to the reason why they are refused. The body alone
// decides; headers are compared with it afterwards (headerRules.ts).
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { Era, RpcId, RpcMessage } from './message.ts';
import { rpcCode } from './rpcErrors.ts';
import { decodeUtf8Strict, parseStrict, StrictJsonError } from './strictJson.ts';

export type Classified =
  | { kind: 'messages'; messages: RpcMessage[]; batch: boolean; era: Era }
  | { kind: 'invalid'; rpcCode: number; message: string; id: RpcId | null };

/** Messages in one batch (2025-03-26 alone allows batches); a longer one is refused. */
export const maxBatch = 100;

/** Where a modern request names its revision; the key does not exist in older ones. */
export const protocolVersionKey = 'io.modelcontextprotocol/protocolVersion';

/** Revisions are dates. */
const firstModern = '2026-07-28';

const MODERN_METHODS: ReadonlySet<string> = new Set(['server/discover', 'subscriptions/listen']);

export function classifyBody(bytes: Uint8Array): Classified {
  let value: JsonValue;
  try {
    value = parseStrict(decodeUtf8Strict(bytes));
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    return { kind: 'invalid', rpcCode: rpcCode.parseError, message: `Parse error: ${error.reason}`, id: null };
  }
  return Array.isArray(value) ? classifyBatch(value) : classifyOne(value);
}

/** The revision a modern message names in its `_meta`. */
export function namedVersion(message: RpcMessage): string | undefined {
  const version = metaOf(message)?.[protocolVersionKey];
  return typeof version === 'string' ? version : undefined;
}

function classifyOne(value: JsonValue): Classified {
  const message = readMessage(value);
  if (typeof message === 'string') return invalid(message, idOf(value));
  return { kind: 'messages', messages: [message], batch: false, era: eraOf(message) };
}

function classifyBatch(values: JsonValue[]): Classified {
  if (values.length === 0) return invalid('a batch must not be empty', null);
  if (values.length > maxBatch) return invalid(`a batch has at most ${maxBatch} messages`, null);
  const messages: RpcMessage[] = [];
  const ids = new Set<RpcId>();
  for (const value of values) {
    const message = readMessage(value);
    if (typeof message === 'string') return invalid(message, null);
    if (message.kind === 'request') {
      if (ids.has(message.id)) return invalid('a batch uses one id twice', message.id);
      ids.add(message.id);
    }
    messages.push(message);
  }
  if (messages.some((message) => eraOf(message) === 'modern')) {
    return invalid('this protocol version has no batches', null);
  }
  return { kind: 'messages', messages, batch: true, era: 'legacy' };
}

/** The message, or what keeps `value` from being one. */
function readMessage(value: JsonValue): RpcMessage | string {
  if (!isJsonObject(value)) return 'a message must be an object';
  if (value['jsonrpc'] !== '2.0') return 'jsonrpc must be "2.0"';
  return Object.hasOwn(value, 'method') ? readCall(value) : readResponse(value);
}

function readCall(value: JsonObject): RpcMessage | string {
  const { method, params, id } = value;
  if (typeof method !== 'string' || method === '') return 'method must be a string';
  if (Object.hasOwn(value, 'result') || Object.hasOwn(value, 'error')) return 'a message with a method has no result';
  if (params !== undefined && (typeof params !== 'object' || params === null)) return 'params must be an object';
  if (!Object.hasOwn(value, 'id')) return { kind: 'notification', method, params };
  if (!isId(id)) return 'id must be a string or a safe number';
  return { kind: 'request', id, method, params };
}

function readResponse(value: JsonObject): RpcMessage | string {
  const { id, result, error } = value;
  if (result !== undefined && error !== undefined) return 'a response has a result or an error, not both';
  if (error !== undefined) {
    if (!isJsonObject(error)) return 'error must be an object';
    const { code, message, data } = error;
    if (typeof code !== 'number' || typeof message !== 'string') return 'error must have a code and a message';
    if (!isId(id) && id !== null && id !== undefined) return 'id must be a string or a safe number';
    return { kind: 'error', id: id ?? null, error: { code, message, ...(data === undefined ? {} : { data }) } };
  }
  if (result === undefined) return 'a message needs a method, a result or an error';
  if (!isId(id)) return 'id must be a string or a safe number';
  return { kind: 'result', id, result };
}

/** `initialize` is the first word of the older eras, unless it claims a later one, where no server knows it. */
function eraOf(message: RpcMessage): Era {
  if (message.kind === 'result' || message.kind === 'error') return 'legacy';
  if (message.method === 'initialize') return (namedVersion(message) ?? '') < firstModern ? 'legacy' : 'modern';
  if (MODERN_METHODS.has(message.method)) return 'modern';
  const meta = metaOf(message);
  return meta && Object.hasOwn(meta, protocolVersionKey) ? 'modern' : 'legacy';
}

function metaOf(message: RpcMessage): JsonObject | undefined {
  if (message.kind === 'result' || message.kind === 'error' || !isJsonObject(message.params)) return undefined;
  const meta = message.params['_meta'];
  return isJsonObject(meta) ? meta : undefined;
}

/** Integers beyond 2^53 are one number here and another in the server: refused rather than confused. */
export function isId(id: unknown): id is RpcId {
  if (typeof id === 'string') return true;
  return typeof id === 'number' && Number.isFinite(id) && (Number.isSafeInteger(id) || !Number.isInteger(id));
}

function idOf(value: JsonValue): RpcId | null {
  const id = isJsonObject(value) ? value['id'] : undefined;
  return isId(id) ? id : null;
}

function invalid(reason: string, id: RpcId | null): Classified {
  return { kind: 'invalid', rpcCode: rpcCode.invalidRequest, message: `Invalid Request: ${reason}`, id };
}
