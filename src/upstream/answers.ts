// The HTTP answers that a stdio upstream gives in its own name. Statuses and texts are those of SDK servers, because
// agents know them: a 404 makes an agent initialise again, anything else there would lose its session for good.
import { Readable } from 'node:stream';
import type { JsonValue } from '../core/json.ts';
import type { RpcId } from '../mcp/message.ts';
import { rpcCode, rpcErrorText } from '../mcp/rpcErrors.ts';
import type { UpstreamResponse } from './upstream.ts';

export function jsonAnswer(status: number, body: Uint8Array, headers: Record<string, string> = {}): UpstreamResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', 'content-length': String(body.length), ...headers },
    body: Readable.from([Buffer.from(body.buffer, body.byteOffset, body.length)], { objectMode: false }),
  };
}

export function sseAnswer(body: Readable, sessionId?: string): UpstreamResponse {
  return {
    status: 200,
    headers: {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      ...(sessionId === undefined ? {} : { 'mcp-session-id': sessionId }),
    },
    body,
  };
}

export function accepted(): UpstreamResponse {
  return { status: 202, headers: {} };
}

export function ended(): UpstreamResponse {
  return { status: 200, headers: { 'content-length': '0' } };
}

export function refusal(
  status: number,
  message: string,
  { code = rpcCode.serverError, id = null, data, headers = {} }: RefusalDetail = {},
): UpstreamResponse {
  return jsonAnswer(status, Buffer.from(rpcErrorText(id, code, message, data)), headers);
}

type RefusalDetail = { code?: number; id?: RpcId | null; data?: JsonValue; headers?: Record<string, string> };

export const refuse = {
  contentType: () => refusal(415, 'Unsupported Media Type: Content-Type must be application/json'),
  acceptPost: () => refusal(406, 'Not Acceptable: Client must accept both application/json and text/event-stream'),
  acceptGet: () => refusal(406, 'Not Acceptable: Client must accept text/event-stream'),
  protocolVersion: () => refusal(400, 'Bad Request: Unsupported protocol version'),
  initializeInBatch: () =>
    refusal(400, 'Invalid Request: initialize must be sent alone', { code: rpcCode.invalidRequest }),
  argumentHeader: (header: string, id: RpcId) =>
    refusal(400, `Header mismatch: ${header} and the arguments disagree`, { code: rpcCode.headerMismatch, id }),
  noResponses: () =>
    refusal(400, 'Bad Request: this protocol revision has no responses of clients', { code: rpcCode.invalidRequest }),
  noSession: () => refusal(400, 'Bad Request: Mcp-Session-Id header is required'),
  /** A stream without a session is not offered; clients that probe for one take 405 for "no" and go on. */
  noStream: () => refusal(405, 'Method Not Allowed', { headers: { allow: 'POST' } }),
  /** `why` it ended, where that is known and of use. */
  unknownSession: (why?: string) =>
    refusal(404, why === undefined ? 'Session not found' : `Session not found: ${why}`, {
      code: rpcCode.sessionNotFound,
    }),
  unknownEvent: () => refusal(400, 'Bad Request: Last-Event-ID is not known in this session'),
  secondStream: () => refusal(409, 'Conflict: Only one SSE stream is allowed per session'),
  idInUse: (id: RpcId) =>
    refusal(400, 'Invalid Request: a call with this id is running', { code: rpcCode.invalidRequest, id }),
  tooManyCalls: (max: number, id: RpcId) =>
    refusal(429, `more than ${max} calls of this session wait for an answer`, { code: rpcCode.limitReached, id }),
  tooManySessions: (id: RpcId | null) =>
    refusal(503, 'as many sessions of this server as there may be are in use', { code: rpcCode.limitReached, id }),
  notReading: (id: RpcId | null) =>
    refusal(503, 'the server does not read what it is sent', { code: rpcCode.upstreamUnavailable, id }),
};
