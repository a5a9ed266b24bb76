// Every refusal and failure that the gateway answers with: status and JSON-RPC number by the table of `mcp/failures.ts`,
// and a sentence that tells an agent what to do without telling a stranger what was wrong with a credential.
import type { ErrorInfo } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { failureOf, failures, failureText, markOf } from '../mcp/failures.ts';
import type { RpcId } from '../mcp/message.ts';
import { rpcCode, rpcErrorText } from '../mcp/rpcErrors.ts';
import type { Decision } from '../policy/decide.ts';
import type { Call } from './call.ts';
import type { Exchange } from './exchange.ts';

const allowedMethods = 'POST, GET, DELETE, OPTIONS';

/** A foreign Host or Origin, another path, another method. */
export function refuseArrival(exchange: Exchange, status: 403 | 404 | 405 | 421, reason: string): void {
  exchange.recorder.finish({ status: 'denied', reason });
  const headers = status === 405 ? { allow: allowedMethods } : {};
  exchange.answer(status, rpcErrorText(null, rpcCode.serverError, reason), headers);
}

export function answerOptions(exchange: Exchange): void {
  exchange.recorder.finish({ status: 'ok' });
  exchange.answer(204, undefined, { allow: allowedMethods });
}

/** What an agent is told that nobody knows, by whose its `Authorization` is. */
const unauthenticated = {
  tunnel: 'a valid bearer token of this tunnel is needed',
  upstream:
    'a valid token of this tunnel is needed, as MCP-Tunnel-Authorization: Bearer …; Authorization is the server’s',
} as const;

/** `why` is for the developer alone; `challenge` tells an agent where it can ask to be let in. */
export function refuseUnauthenticated(
  exchange: Exchange,
  why: string,
  auth: 'tunnel' | 'upstream',
  challenge?: string,
): void {
  exchange.recorder.finish({ status: 'denied', reason: `no valid token (${why})` });
  const message = unauthenticated[auth];
  // RFC 6750 §3; no error attribute, which would tell a missing token from a wrong one.
  exchange.answer(401, rpcErrorText(null, rpcCode.serverError, message), {
    'www-authenticate': challenge ?? 'Bearer realm="mcp-tunnel"',
  });
}

export function refuseThrottled(exchange: Exchange, retryAfterMs: number): void {
  exchange.recorder.finish({ status: 'denied', reason: 'too many failed attempts from this address' });
  const message = 'too many failed attempts; a valid token is still accepted';
  exchange.answer(429, rpcErrorText(null, rpcCode.limitReached, message), retryAfter(retryAfterMs));
}

export function refuseLimit(exchange: Exchange, limit: string, retryAfterMs: number): void {
  const message = `the tunnel’s limit ${limit} is reached; try again later`;
  const { status, rpc } = failures.LIMITED;
  exchange.recorder.finish({ status: 'denied', rpcCode: rpc, reason: message, failure: markOf('LIMITED') });
  exchange.answer(status, rpcErrorText(exchange.rpcId, rpc, message), retryAfter(retryAfterMs));
}

/** What SDK servers answer for a session they do not know: the client begins a new one. */
export function refuseSession(exchange: Exchange): void {
  const { status, rpc, sentence } = failures.SESSION_UNKNOWN;
  const failure = markOf('SESSION_UNKNOWN');
  exchange.recorder.finish({ status: 'error', rpcCode: rpc, reason: 'session not found', failure });
  exchange.answer(status, rpcErrorText(null, rpc, sentence));
}

export function refuseTooLarge(exchange: Exchange, maxBytes: number): void {
  const message = `the body is larger than ${maxBytes} bytes (maxBodyBytes)`;
  const { status, rpc } = failures.BODY_TOO_LARGE;
  exchange.recorder.finish({ status: 'denied', rpcCode: rpc, reason: message, failure: markOf('BODY_TOO_LARGE') });
  exchange.answer(status, rpcErrorText(null, rpc, message));
}

/** A body in another encoding would say one thing to us and another to the server. */
export function refuseMediaType(exchange: Exchange): void {
  const { status, rpc, sentence } = failures.BAD_MEDIA_TYPE;
  exchange.recorder.finish({ status: 'error', rpcCode: rpc, reason: sentence, failure: markOf('BAD_MEDIA_TYPE') });
  exchange.answer(status, rpcErrorText(null, rpc, sentence));
}

/** A body or headers that cannot be understood without doubt. */
export function refuseMessage(exchange: Exchange, code: number, message: string, id: RpcId | null): void {
  exchange.recorder.finish({ status: 'error', rpcCode: code, reason: message, failure: markOf('BAD_MESSAGE') });
  exchange.answer(failures.BAD_MESSAGE.status, rpcErrorText(id, code, message));
}

/**
 * A call that policy or grant denies: HTTP 200 with the call's own id, so that the agent can act on it.
 * A denied notification is dropped with the 202 it would have got.
 */
export function refuseCall(
  exchange: Exchange,
  call: Call,
  decision: Extract<Decision, { kind: 'deny' }>,
  say: (text: string) => boolean,
): void {
  const { status, rpc } = failures.DENIED;
  exchange.recorder.finish({ status: 'denied', rpcCode: rpc, reason: decision.reason, failure: markOf('DENIED') });
  const answers = denialsOf(call, decision.reason);
  // An agent of the old transport reads answers on its stream and nowhere else.
  if (answers.size === 0 || (call.isSse && [...answers.values()].map(say).every(Boolean))) exchange.answer(202);
  else exchange.answer(status, answersText(call, answers));
}

/** A person answered in place of the server. */
export function answerMocked(exchange: Exchange, call: Call, result: JsonObject, say: (text: string) => boolean): void {
  const whole = call.era === 'modern' ? { resultType: 'complete', ...result } : result;
  const text = JSON.stringify({ jsonrpc: '2.0', id: exchange.rpcId, result: whole });
  exchange.recorder.message('server-to-agent', text);
  exchange.recorder.finish({ status: result['isError'] === true ? 'tool-error' : 'ok' });
  if (call.isSse && say(text)) exchange.answer(202);
  else exchange.answer(200, text);
}

/** For who still waits when policy or grant no longer allow the call: the answers, by the ids of its requests. */
export function withdrawnCall(call: Call, why: string, reason: string): ReadonlyMap<RpcId, string> {
  return denialsOf(call, `${why} while the call was under way, and it was ended: ${reason}`);
}

/** Answers as one text; `undefined` where there are none. */
export function answersText({ isBatch }: Call, answers: ReadonlyMap<RpcId, string>): string | undefined {
  const texts = [...answers.values()];
  return isBatch && texts.length > 0 ? `[${texts.join(',')}]` : texts[0];
}

function denialsOf({ messages }: Call, reason: string): ReadonlyMap<RpcId, string> {
  return new Map(
    messages.flatMap((message): [RpcId, string][] =>
      message.kind === 'request' ? [[message.id, rpcErrorText(message.id, failures.DENIED.rpc, reason)]] : [],
    ),
  );
}

/** In place of a message that could not be looked through for what the agent may not see. */
export function tooLongToFilter(id: RpcId, maxBytes: number): string {
  const message = `the server’s message is larger than ${maxBytes} bytes; what is hidden from you could not be taken out`;
  return rpcErrorText(id, rpcCode.limitReached, message);
}

/**
 * What went wrong behind the gateway, in full for the developer and as a fixed sentence for the agent; an answer that
 * has begun already is cut off instead.
 */
export function answerFailure(exchange: Exchange, info: ErrorInfo): void {
  const { code, source, status, rpc } = failureOf(info);
  exchange.recorder.finish({ status: 'failed', rpcCode: rpc, reason: info.message, failure: { code, source } });
  if (exchange.response.headersSent && !exchange.isWaiting) return exchange.end(info.message);
  exchange.answer(status, failureText(exchange.rpcId, info), status === 503 ? retryAfter(1_000) : {});
}

function retryAfter(ms: number): Record<string, string> {
  return { 'retry-after': String(Math.max(1, Math.ceil(ms / 1000))) };
}
