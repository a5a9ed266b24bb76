// Every schema inside a schema, with the way to it, as far as any client walks. Whatever a stranger wrote in place of one
// is passed over, and the walk ends at a bound.
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';

/** Schemas looked at in one definition; those behind them are not judged. */
export const maxSchemaNodes = 5_000;

export type SchemaNode = { schema: JsonObject; where: string };

const inMaps = ['properties', '$defs', 'definitions', 'patternProperties', 'dependentSchemas'] as const;
const inLists = ['anyOf', 'oneOf', 'allOf', 'prefixItems'] as const;
const alone = ['items', 'additionalProperties', 'not', 'if', 'then', 'else', 'contains', 'propertyNames'] as const;

export function schemaNodes(schema: JsonValue | undefined, where: string): SchemaNode[] {
  const nodes: SchemaNode[] = [];
  const add = (value: JsonValue | undefined, place: string): void => {
    if (isJsonObject(value) && nodes.length < maxSchemaNodes) nodes.push({ schema: value, where: place });
  };
  add(schema, where);
  for (let at = 0; at < nodes.length; at += 1) {
    const { schema: holder, where: place } = nodes[at]!;
    for (const key of inMaps) {
      const map = holder[key];
      if (isJsonObject(map)) for (const [name, held] of Object.entries(map)) add(held, `${place}.${key}.${name}`);
    }
    for (const key of inLists) {
      const list = holder[key];
      if (Array.isArray(list)) list.forEach((held, index) => add(held, `${place}.${key}[${index}]`));
    }
    for (const key of alone) add(holder[key], `${place}.${key}`);
  }
  return nodes;
}
