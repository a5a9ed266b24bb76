// What the upstream's own tool lists said of each tool. Hints of a stranger: used to refuse (read-only grants refuse
// what is not declared read-only), never to allow more.
import { isJsonObject, type JsonValue } from '../core/json.ts';

/** Tools remembered per tunnel; what comes after that stays unknown, and so counts as writing. */
export const maxTools = 10_000;

export type ToolAnnotations = { readOnlyHint?: boolean };

export class ToolCatalogue {
  readonly #annotations = new Map<string, ToolAnnotations>();

  /** Takes the `tools` array of a `tools/list` result; anything of another shape is passed over. */
  learn(tools: JsonValue | undefined): void {
    if (!Array.isArray(tools)) return;
    for (const tool of tools) {
      if (!isJsonObject(tool) || typeof tool['name'] !== 'string') continue;
      const hints = isJsonObject(tool['annotations']) ? tool['annotations'] : {};
      const known = this.#annotations.has(tool['name']);
      if (!known && this.#annotations.size >= maxTools) continue;
      const readOnly = hints['readOnlyHint'];
      this.#annotations.set(tool['name'], typeof readOnly === 'boolean' ? { readOnlyHint: readOnly } : {});
    }
  }

  annotations(tool: string): ToolAnnotations | undefined {
    return this.#annotations.get(tool);
  }
}
