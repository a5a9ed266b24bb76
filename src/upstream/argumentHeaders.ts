// Headers that repeat arguments of a tool (`Mcp-Param-…`; 2026-07-28, SEP-2243). In front of a stdio server they are ours
// to compare with the body, once the server has listed the tool and so said which arguments they are.
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { decodeHeader } from '../mcp/headerRules.ts';
import type { RpcMessage } from '../mcp/message.ts';
import { headerParameters, parameterHeaders, type HeaderParameter } from './eras/modernHeaders.ts';

/** Tools with such arguments that are remembered; the headers of more are not compared. */
export const maxToolsWithHeaders = 1_000;

export class ArgumentHeaders {
  readonly #tools = new Map<string, HeaderParameter[]>();

  /** Looks at a result; of a list of tools, the arguments that are headers, too, are kept. */
  learn({ tools }: JsonObject): void {
    if (!Array.isArray(tools)) return;
    for (const tool of tools) {
      if (!isJsonObject(tool) || typeof tool['name'] !== 'string') continue;
      const parameters = headerParameters(tool['inputSchema']);
      this.#tools.delete(tool['name']);
      if (parameters.length > 0 && this.#tools.size < maxToolsWithHeaders) this.#tools.set(tool['name'], parameters);
    }
  }

  /** The first header that is absent or says something else than the body. */
  disagreement(request: RpcMessage & { kind: 'request' }, headers: Record<string, string>): string | undefined {
    const params = isJsonObject(request.params) ? request.params : {};
    const { name, arguments: args } = params;
    const parameters = request.method === 'tools/call' && typeof name === 'string' ? this.#tools.get(name) : undefined;
    if (!parameters || !isJsonObject(args)) return undefined;
    const expected = parameterHeaders(parameters, args);
    return Object.keys(expected).find((header) => !isSame(headers[header], expected[header]!));
  }
}

function isSame(sent: string | undefined, expected: string): boolean {
  const [ours, theirs] = [decodeHeader(expected), sent === undefined ? undefined : decodeHeader(sent)];
  return theirs !== undefined && theirs === ours;
}
