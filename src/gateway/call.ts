// What an authenticated request asks for: body read within its bound, classified from the body alone, headers
// cross-checked. What cannot be understood without doubt is refused here.
import { hash } from 'node:crypto';
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { classifyBody } from '../mcp/classify.ts';
import { checkHeaders } from '../mcp/headerRules.ts';
import type { Era, RpcId, RpcMessage } from '../mcp/message.ts';
import { rpcCode } from '../mcp/rpcErrors.ts';
import { summarise } from '../mcp/summarise.ts';
import type { Exchange } from './exchange.ts';
import { readBody } from './readBody.ts';
import type { MetadataTarget } from './upstreamMetadata.ts';
import { refuseMediaType, refuseMessage, refuseSession, refuseTooLarge } from './refusals.ts';

export type Audited = { method: string; name?: string | undefined; params?: JsonValue | undefined };

export type Call = {
  method: 'POST' | 'GET' | 'DELETE';
  body?: Buffer;
  messages: readonly RpcMessage[];
  isBatch: boolean;
  era: Era;
  sessionId?: string | undefined;
  /** Posted to the message endpoint of an HTTP+SSE stream: its answer comes there. */
  isSse?: boolean;
  /** Asks for OAuth metadata of the server, not for its MCP endpoint. */
  metadata?: MetadataTarget;
  isInitialize: boolean;
  /** Name of the agent, from `clientInfo` or from its session. */
  agent?: string | undefined;
  /** What the audit log says of it: one entry per message, or one for a stream's opening and a session's end. */
  audited: readonly Audited[];
};

/** Visible ASCII (MCP transport specification, "Session Management"). */
const SESSION_ID = /^[\x21-\x7e]{1,512}$/;

/** RFC 8259 §8.1: JSON between systems is UTF-8. What else a server might decode (UTF-7, brotli) is not what we read. */
const PLAIN_JSON = /^application\/json *(?:; *charset="?utf-8"? *)?$/i;

/** The call, or `undefined` when it was refused. */
export async function readCall(
  exchange: Exchange,
  { method, sseSession, metadata }: Pick<Call, 'method' | 'metadata'> & { sseSession?: string | undefined },
  maxBodyBytes: number,
): Promise<Call | void> {
  const sessionId = sseSession ?? exchange.headers['mcp-session-id'];
  if (sessionId !== undefined && !SESSION_ID.test(sessionId)) return refuseSession(exchange);
  const isSse = sseSession !== undefined;
  if (method !== 'POST') {
    const what = metadata ? 'GET metadata' : method === 'GET' ? 'GET stream' : 'DELETE session';
    exchange.recorder.update({ method: what, kind: method === 'GET' && !metadata ? 'stream' : 'http' });
    return {
      method,
      messages: [],
      isBatch: false,
      era: 'legacy',
      isInitialize: false,
      audited: [{ method: what }],
      ...(metadata ? { metadata } : { sessionId, isSse }),
    };
  }

  if (!isPlainJson(exchange.headers)) return refuseMediaType(exchange);
  const read = await readBody(exchange.request, maxBodyBytes);
  if (read.kind === 'aborted') {
    return exchange.recorder.finish({ status: 'cancelled', reason: exchange.cut ?? 'the agent left' });
  }
  if (read.kind === 'too-large') return refuseTooLarge(exchange, maxBodyBytes);
  exchange.recorder.request(read.bytes);
  exchange.recorder.mark('bodyRead');

  const body = classifyBody(read.bytes);
  if (body.kind === 'invalid') return refuseMessage(exchange, body.rpcCode, body.message, body.id);
  noteMessages(exchange, body.messages);
  if (body.messages.length === 1 && body.messages[0]?.kind === 'request') exchange.rpcId = body.messages[0].id;
  const mismatch = checkHeaders(exchange.headers, body.messages, body.era);
  if (mismatch) return refuseMessage(exchange, rpcCode.headerMismatch, mismatch.message, mismatch.id);

  const isInitialize = body.messages.some((message) => message.kind === 'request' && message.method === 'initialize');
  // What begins a session is in none, and the modern era (2026-07-28) has none: an id beside such a request means nothing.
  const hasNoSession = (isInitialize || body.era === 'modern') && !isSse;
  return {
    method,
    body: read.bytes,
    messages: body.messages,
    isBatch: body.batch,
    era: body.era,
    isInitialize,
    agent: agentOf(body.messages),
    audited: body.messages.map(auditedOf),
    sessionId: hasNoSession ? undefined : sessionId,
    isSse,
  };
}

export function auditedOf(message: RpcMessage): Audited {
  const { method, name } = summarise(message);
  return { method, name, params: 'params' in message ? message.params : undefined };
}

/** A request without a type is the server's to refuse. */
function isPlainJson(headers: Record<string, string>): boolean {
  const { 'content-type': type, 'content-encoding': encoding } = headers;
  return (type === undefined || PLAIN_JSON.test(type)) && (encoding === undefined || /^identity$/i.test(encoding));
}

/** SHA-256 of the arguments as JSON, so that the log can prove what was sent without holding it. */
export function argumentsDigest(params: JsonValue | undefined): string | undefined {
  return params === undefined ? undefined : hash('sha256', JSON.stringify(params), 'hex');
}

export function requestIds(messages: readonly RpcMessage[]): ReadonlyMap<RpcId, string> {
  const ids = new Map<RpcId, string>();
  for (const message of messages) if (message.kind === 'request') ids.set(message.id, message.method);
  return ids;
}

function noteMessages(exchange: Exchange, messages: readonly RpcMessage[]): void {
  const first = messages[0];
  if (!first) return;
  const kind = first.kind === 'result' || first.kind === 'error' ? 'response' : first.kind;
  const { method, name } = summarise(first);
  exchange.recorder.update({ kind, method, name });
}

/** `clientInfo` of `initialize`, or of a modern request's `_meta`: `name version`. */
function agentOf(messages: readonly RpcMessage[]): string | undefined {
  for (const message of messages) {
    if (message.kind !== 'request' || !isJsonObject(message.params)) continue;
    const meta = message.params['_meta'];
    const info =
      message.method === 'initialize'
        ? message.params['clientInfo']
        : isJsonObject(meta)
          ? meta['io.modelcontextprotocol/clientInfo']
          : undefined;
    if (!isJsonObject(info) || typeof info['name'] !== 'string') continue;
    const version = typeof info['version'] === 'string' ? ` ${info['version']}` : '';
    return `${info['name']}${version}`.slice(0, 80);
  }
  return undefined;
}
