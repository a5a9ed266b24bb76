// What the transport of the modern era asks of a request beside its body (2026-07-28, "Streamable HTTP"; SEP-2243): in
// front of a stdio server it is ours to check, since no header reaches that server.
import { isJsonObject } from '../core/json.ts';
import { namedVersion } from '../mcp/classify.ts';
import { metaKey, modernRevision } from '../mcp/revisions.ts';
import type { RpcMessage } from '../mcp/message.ts';
import { rpcCode } from '../mcp/rpcErrors.ts';
import { refusal } from './answers.ts';
import { modernHeaders } from './eras/modernHeaders.ts';
import type { UpstreamRequest, UpstreamResponse } from './upstream.ts';

/** Whether it is a request of the modern era; one without a body says so by its header. */
export function isModern({ era, method, headers, messages, sessionId }: UpstreamRequest): boolean {
  if (method === 'POST' && messages.some(({ kind }) => kind === 'request')) return era === 'modern';
  return era === 'modern' || (sessionId === undefined && (headers['mcp-protocol-version'] ?? '') >= modernRevision);
}

/** Why it cannot be taken, if so. */
export function refuseModern({ method, headers, messages }: UpstreamRequest): UpstreamResponse | undefined {
  if (method !== 'POST') return refusal(405, 'Method Not Allowed', { headers: { allow: 'POST' } });
  const [message] = messages;
  if (message?.kind !== 'request') return undefined; // "All requests": notifications need no headers.
  const missing = missingEnvelope(message);
  if (missing !== undefined) {
    return refusal(400, `Invalid _meta envelope: ${missing} is required`, {
      code: rpcCode.invalidParams,
      id: message.id,
    });
  }
  const requested = namedVersion(message);
  if (requested !== modernRevision) {
    // A server may know it, but nobody knows what that revision asks of this transport.
    return refusal(400, 'Unsupported protocol version', {
      code: rpcCode.unsupportedVersion,
      id: message.id,
      data: { supported: [modernRevision], requested: requested ?? null },
    });
  }
  const header = Object.keys(modernHeaders(message.method, message.params)).find((name) => headers[name] === undefined);
  if (header === undefined) return undefined;
  return refusal(400, `Header mismatch: the required header ${header} is absent`, {
    code: rpcCode.headerMismatch,
    id: message.id,
  });
}

/** Without it a server of both eras would take the whole connection for one of the older. */
function missingEnvelope({ params }: RpcMessage & { kind: 'request' }): string | undefined {
  const meta = isJsonObject(params) ? params['_meta'] : undefined;
  if (!isJsonObject(meta) || typeof meta[metaKey.protocolVersion] !== 'string') return metaKey.protocolVersion;
  return isJsonObject(meta[metaKey.clientCapabilities]) ? undefined : metaKey.clientCapabilities;
}
