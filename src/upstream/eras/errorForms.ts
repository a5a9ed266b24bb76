// Error objects in the form of either era. Only numbers that mean something else over there are changed; the server's
// own words and data stay.
import { isJsonObject, type JsonValue } from '../../core/json.ts';
import { withMembers } from '../../mcp/jsonEdit.ts';
import { rpcCode } from '../../mcp/rpcErrors.ts';

/** "Resource not found" has a number of its own up to 2025-11-25. */
const legacyNotFound = -32002;

export function modernError(error: string): string {
  const { code } = parsed(error);
  return code === legacyNotFound ? withMembers(error, { code: String(rpcCode.invalidParams) }) : error;
}

/** `uri` is what `resources/read` asked for. A modern server tells a missing resource by naming it. */
export function legacyError(method: string, uri: JsonValue | undefined, error: string): string {
  const { code, data } = parsed(error);
  const isMissing = code === rpcCode.invalidParams && isJsonObject(data) && data['uri'] === uri;
  if (method !== 'resources/read' || uri === undefined || !isMissing) return error;
  return withMembers(error, { code: String(legacyNotFound) });
}

function parsed(error: string): { code?: JsonValue; data?: JsonValue } {
  const value = JSON.parse(error) as JsonValue;
  return isJsonObject(value) ? value : {};
}
