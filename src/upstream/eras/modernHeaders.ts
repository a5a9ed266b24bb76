// The headers that a modern request must carry beside its body (2026-07-28, SEP-2243): its revision, its method, what it
// names, and those of its arguments that the tool's schema asks for.
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { modernRevision } from '../../mcp/revisions.ts';

const NAME_FIELD: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

/** Headers of a message whose `params` are these. */
export function modernHeaders(method: string, params: JsonValue | undefined): Record<string, string> {
  const field = Object.hasOwn(NAME_FIELD, method) ? NAME_FIELD[method]! : undefined;
  const name = field !== undefined && isJsonObject(params) ? params[field] : undefined;
  return {
    'mcp-protocol-version': modernRevision,
    'mcp-method': encodeHeader(method),
    ...(typeof name === 'string' ? { 'mcp-name': encodeHeader(name) } : {}),
  };
}

/** A value that HTTP would change or refuse is wrapped as `=?base64?…?=`; so is one that looks wrapped already. */
export function encodeHeader(value: string): string {
  const isPlain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value) && !value.startsWith('=?base64?');
  return isPlain ? value : `=?base64?${Buffer.from(value, 'utf8').toString('base64')}?=`;
}

/** Where in a tool's arguments the value of a header stands. */
export type HeaderParameter = { header: string; path: readonly string[] };

/** The arguments that `inputSchema` wants repeated as headers (`x-mcp-header`). */
export function headerParameters(schema: JsonValue | undefined, path: readonly string[] = []): HeaderParameter[] {
  if (!isJsonObject(schema)) return [];
  const own = schema['x-mcp-header'];
  const isToken = typeof own === 'string' && /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(own);
  const here = path.length > 0 && isToken ? [{ header: `mcp-param-${own.toLowerCase()}`, path }] : [];
  const properties = isJsonObject(schema['properties']) ? schema['properties'] : {};
  if (path.length >= maxSchemaDepth) return here;
  return [...here, ...Object.entries(properties).flatMap(([key, child]) => headerParameters(child, [...path, key]))];
}

/** Nested deeper, an argument is not looked for. */
const maxSchemaDepth = 16;

export function parameterHeaders(parameters: readonly HeaderParameter[], args: JsonObject): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { header, path } of parameters) {
    const value = path.reduce<JsonValue | undefined>(
      (at, key) => (isJsonObject(at) && Object.hasOwn(at, key) ? at[key] : undefined),
      args,
    );
    if (typeof value === 'string' || typeof value === 'boolean') headers[header] = encodeHeader(String(value));
    else if (typeof value === 'number' && (Number.isSafeInteger(value) || !Number.isInteger(value))) {
      headers[header] = String(value);
    }
  }
  return headers;
}
