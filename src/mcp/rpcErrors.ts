// Every numeric JSON-RPC error this product puts on the wire is made here and nowhere else.
// MCP reserves -32020…-32099; -32000…-32019 are an implementation's own.
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { RpcId } from './message.ts';

export const rpcCode = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  /** A server's general refusal; what SDK servers send for a missing session. */
  serverError: -32000,
  /** What SDK servers send for a session they do not know. */
  sessionNotFound: -32001,
  /** The tunnel's policy or the agent's grant refused the call. */
  deniedByPolicy: -32010,
  /** The MCP server behind the tunnel is down, was restarted or does not answer. */
  upstreamUnavailable: -32011,
  /** A named limit of the tunnel was reached. */
  limitReached: -32012,
  /** Headers and body disagree (2026-07-28). */
  headerMismatch: -32020,
  /** The request names a revision that is not spoken here; `data.supported`, `data.requested` (2026-07-28). */
  unsupportedVersion: -32022,
} as const;

/** One JSON-RPC error response as text. */
export function rpcErrorText(id: RpcId | null, code: number, message: string, data?: JsonValue): string {
  const error: JsonObject = { code, message };
  if (data !== undefined) error['data'] = data;
  return JSON.stringify({ jsonrpc: '2.0', id, error });
}
