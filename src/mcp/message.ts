// JSON-RPC 2.0 messages as MCP uses them. These types describe a parsed copy: the bytes themselves are what travels.
import type { JsonObject, JsonValue } from '../core/json.ts';

/** Requests carry a string or a number; `null` appears only in error responses. */
export type RpcId = string | number;

export type RpcRequest = { kind: 'request'; id: RpcId; method: string; params: JsonObject | JsonValue[] | undefined };
export type RpcNotification = { kind: 'notification'; method: string; params: JsonObject | JsonValue[] | undefined };
export type RpcResult = { kind: 'result'; id: RpcId | null; result: JsonValue };
export type RpcFailure = { kind: 'error'; id: RpcId | null; error: RpcErrorObject };
export type RpcErrorObject = { code: number; message: string; data?: JsonValue };

export type RpcMessage = RpcRequest | RpcNotification | RpcResult | RpcFailure;

/** `legacy` is every revision up to 2025-11-25, `modern` 2026-07-28 and later. */
export type Era = 'legacy' | 'modern';
