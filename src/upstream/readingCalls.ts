// Which calls only read, or may be made twice: those whose server says so of its tools, and the methods that read by
// their nature. Only an owner who trusts the server's word has them sent again.
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { RpcMessage } from '../mcp/message.ts';

/** Tools remembered per session; of more, nothing is known, and they are not sent again. */
export const maxKnownTools = 2_000;

const READING: ReadonlySet<string> = new Set([
  'ping',
  'tools/list',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'completion/complete',
]);

export class ReadingCalls {
  readonly #tools = new Map<string, boolean>();

  /** Looks at a result; of a list of tools, their annotations are kept. */
  learn({ tools }: JsonObject): void {
    if (!Array.isArray(tools)) return;
    for (const tool of tools) {
      if (!isJsonObject(tool) || typeof tool['name'] !== 'string') continue;
      if (this.#tools.size >= maxKnownTools && !this.#tools.has(tool['name'])) return;
      const hints = isJsonObject(tool['annotations']) ? tool['annotations'] : {};
      this.#tools.set(tool['name'], hints['readOnlyHint'] === true || hints['idempotentHint'] === true);
    }
  }

  has({ method, params }: RpcMessage & { kind: 'request' }): boolean {
    if (method !== 'tools/call') return READING.has(method);
    const name = isJsonObject(params) ? params['name'] : undefined;
    return typeof name === 'string' && this.#tools.get(name) === true;
  }
}
