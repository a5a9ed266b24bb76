// What a modern server requires of each request before it looks at what is asked (2026-07-28): a known revision, the
// agent's capabilities, and the headers that repeat the body. That they agree with it, the gateway has checked.
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { memberText } from '../../mcp/jsonEdit.ts';
import type { RpcId } from '../../mcp/message.ts';
import { metaKey, modernRevision } from '../../mcp/revisions.ts';
import { rpcCode, rpcErrorText } from '../../mcp/rpcErrors.ts';
import { jsonAnswer } from '../answers.ts';
import type { UpstreamRequest, UpstreamResponse } from '../upstream.ts';
import { modernHeaders } from './modernHeaders.ts';

export type ModernRequest = {
  id: RpcId;
  method: string;
  /** As JSON text and as values. */
  params: string;
  values: JsonObject;
  clientInfo: string;
  clientCapabilities: string;
  logLevel: string | undefined;
};

const NAMELESS = '{"name":"unknown","version":"0"}';

/** The request, or the refusal of it. */
export function readModernRequest({ messages, body, headers }: UpstreamRequest): ModernRequest | UpstreamResponse {
  const [message] = messages;
  if (message?.kind !== 'request') return refused(400, null, rpcCode.invalidRequest, 'one request is expected');
  const { id, method } = message;
  const values = isJsonObject(message.params) ? message.params : {};
  const meta = isJsonObject(values['_meta']) ? values['_meta'] : {};
  const version = meta[metaKey.protocolVersion];
  if (typeof version !== 'string') return refused(400, id, rpcCode.invalidParams, lacks(metaKey.protocolVersion));
  if (version !== modernRevision) {
    return jsonAnswer(
      400,
      Buffer.from(
        rpcErrorText(id, rpcCode.unsupportedVersion, 'Unsupported protocol version', {
          supported: [modernRevision],
          requested: version,
        }),
      ),
    );
  }
  if (!isJsonObject(meta[metaKey.clientCapabilities])) {
    return refused(400, id, rpcCode.invalidParams, lacks(metaKey.clientCapabilities));
  }
  const missing = Object.keys(modernHeaders(method, values)).find((name) => headers[name] === undefined);
  if (missing !== undefined) {
    return refused(400, id, rpcCode.headerMismatch, `Header mismatch: the header ${missing} is missing`);
  }
  const params = memberText(body?.toString('utf8') ?? '{}', 'params') ?? '{}';
  const metaText = memberText(params, '_meta') ?? '{}';
  const level = meta[metaKey.logLevel];
  return {
    id,
    method,
    params,
    values,
    clientInfo: isJsonObject(meta[metaKey.clientInfo]) ? memberText(metaText, metaKey.clientInfo)! : NAMELESS,
    clientCapabilities: memberText(metaText, metaKey.clientCapabilities)!,
    logLevel: typeof level === 'string' ? level : undefined,
  };
}

export function refused(status: number, id: RpcId | null, code: number, message: string): UpstreamResponse {
  return jsonAnswer(status, Buffer.from(rpcErrorText(id, code, message)));
}

function lacks(key: string): string {
  return `Invalid params: _meta lacks ${key}`;
}
