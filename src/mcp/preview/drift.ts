// Whether a server's tools are what they were when somebody looked the last time: a server may show good tools first and
// others later ("rug pull").
import { isJsonObject, type JsonValue } from '../../core/json.ts';
import type { Listed } from './offer.ts';

export type ToolDrift = {
  added: string[];
  removed: string[];
  /** `parts` of the definition that are different. */
  changed: { name: string; parts: string[] }[];
};

/** `undefined` where nothing changed; the order of tools and of members says nothing. */
export function toolDrift(before: readonly Listed[], now: readonly Listed[]): ToolDrift | undefined {
  const [old, current] = [byName(before), byName(now)];
  const drift: ToolDrift = {
    added: [...current.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !current.has(name)),
    changed: [...current].flatMap(([name, { definition }]) => {
      const earlier = old.get(name)?.definition;
      if (!earlier) return [];
      const keys = new Set([...Object.keys(earlier), ...Object.keys(definition)]);
      const parts = [...keys].filter((key) => !isSame(earlier[key], definition[key]));
      return parts.length > 0 ? [{ name, parts }] : [];
    }),
  };
  return drift.added.length + drift.removed.length + drift.changed.length > 0 ? drift : undefined;
}

/** Of two tools with one name the last, as clients keep it. */
function byName(tools: readonly Listed[]): Map<string, Listed> {
  return new Map(tools.map((tool) => [tool.name, tool]));
}

/** Recursive: definitions are at most {@link maxDefinitionDepth} levels deep. */
export function isSame(left: JsonValue | undefined, right: JsonValue | undefined): boolean {
  if (left === right) return true;
  if (Array.isArray(left)) {
    return Array.isArray(right) && left.length === right.length && left.every((value, at) => isSame(value, right[at]));
  }
  if (!isJsonObject(left) || !isJsonObject(right)) return false;
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => isSame(left[key], right[key]));
}
