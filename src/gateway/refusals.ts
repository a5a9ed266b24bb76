// Every refusal and failure that the gateway answers with: its HTTP status, its JSON-RPC number, and a sentence that
// tells an agent what to do without telling a stranger what was wrong with a credential.
import type { ErrorCode, ErrorInfo } from '../core/errors.ts';
import type { RpcId } from '../mcp/message.ts';
import { rpcCode, rpcErrorText } from '../mcp/rpcErrors.ts';
import type { Decision } from '../policy/decide.ts';
import { sentenceForAgents } from '../upstream/forAgents.ts';
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

/** `why` is for the developer alone; `challenge` tells an agent where it can ask to be let in. */
export function refuseUnauthenticated(exchange: Exchange, why: string, challenge?: string): void {
  exchange.recorder.finish({ status: 'denied', reason: `no valid token (${why})` });
  const message = 'a valid bearer token of this tunnel is needed';
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
  exchange.recorder.finish({ status: 'denied', rpcCode: rpcCode.limitReached, reason: message });
  exchange.answer(429, rpcErrorText(exchange.rpcId, rpcCode.limitReached, message), retryAfter(retryAfterMs));
}

/** What SDK servers answer for a session they do not know: the client begins a new one. */
export function refuseSession(exchange: Exchange): void {
  exchange.recorder.finish({ status: 'error', rpcCode: rpcCode.sessionNotFound, reason: 'session not found' });
  exchange.answer(404, rpcErrorText(null, rpcCode.sessionNotFound, 'Session not found'));
}

export function refuseTooLarge(exchange: Exchange, maxBytes: number): void {
  const message = `the body is larger than ${maxBytes} bytes (maxBodyBytes)`;
  exchange.recorder.finish({ status: 'denied', rpcCode: rpcCode.limitReached, reason: message });
  exchange.answer(413, rpcErrorText(null, rpcCode.limitReached, message));
}

/** A body in another encoding would say one thing to us and another to the server. */
export function refuseMediaType(exchange: Exchange): void {
  const message = 'Unsupported Media Type: send application/json in UTF-8, not compressed';
  exchange.recorder.finish({ status: 'error', rpcCode: rpcCode.serverError, reason: message });
  exchange.answer(415, rpcErrorText(null, rpcCode.serverError, message));
}

/** A body or headers that cannot be understood without doubt. */
export function refuseMessage(exchange: Exchange, code: number, message: string, id: RpcId | null): void {
  exchange.recorder.finish({ status: 'error', rpcCode: code, reason: message });
  exchange.answer(400, rpcErrorText(id, code, message));
}

/**
 * A call that policy or grant denies: HTTP 200 with the call's own id, so that the agent can act on it.
 * A denied notification is dropped with the 202 it would have got.
 */
export function refuseCall(exchange: Exchange, call: Call, decision: Extract<Decision, { kind: 'deny' }>): void {
  exchange.recorder.finish({ status: 'denied', rpcCode: rpcCode.deniedByPolicy, reason: decision.reason });
  const answers = call.messages.flatMap((message) =>
    message.kind === 'request' ? [rpcErrorText(message.id, rpcCode.deniedByPolicy, decision.reason)] : [],
  );
  if (answers.length === 0) exchange.answer(202);
  else exchange.answer(200, call.isBatch ? `[${answers.join(',')}]` : answers[0]);
}

const UPSTREAM_FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UPSTREAM_START',
  'UPSTREAM_EXITED',
  'UPSTREAM_UNREACHABLE',
  'UPSTREAM_PROTOCOL',
  'TIMEOUT',
]);

/** Whether the server behind the tunnel is to blame, and not the tunnel. */
export function isUpstreamFault({ code }: ErrorInfo): boolean {
  return UPSTREAM_FAULTS.has(code);
}

/**
 * What went wrong behind the gateway, in full for the developer and as a fixed sentence for the agent; an answer that
 * has begun already is cut off instead.
 */
export function answerFailure(exchange: Exchange, info: ErrorInfo): void {
  const code = isUpstreamFault(info) ? rpcCode.upstreamUnavailable : rpcCode.internalError;
  exchange.recorder.finish({ status: 'failed', rpcCode: code, reason: info.message });
  if (exchange.response.headersSent) return exchange.end(info.message);
  const status = info.code === 'TIMEOUT' ? 504 : isUpstreamFault(info) ? 502 : 500;
  exchange.answer(status, rpcErrorText(exchange.rpcId, code, sentenceForAgents(info.code)));
}

function retryAfter(ms: number): Record<string, string> {
  return { 'retry-after': String(Math.max(1, Math.ceil(ms / 1000))) };
}
