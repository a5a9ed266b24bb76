// What known clients refuse of a tool, or cut. Each rule was reported for a client, and says where (`finding.ts`).
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import type { Finding, FindingRule } from './finding.ts';
import { maxDefinitionDepth, type Listed } from './offer.ts';
import { schemaNodes, type SchemaNode } from './schemaNodes.ts';

/** Of a tool's description and of a server's instructions, what Claude Code gives to its model. */
export const claudeCodeTextLength = 2_048;
/** Of server and tool together; Cursor shows tools below it. */
const cursorNameLength = 60;
const copilotTools = 128;
const cursorTools = 80;
const claudeCodeTokens = 25_000;

const combinations = ['anyOf', 'oneOf', 'allOf'] as const;
/** Of JSON Schema, and not of the part of OpenAPI that Gemini’s function declarations are made of. */
const unknownToGemini = [
  'const',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'uniqueItems',
  'patternProperties',
  'propertyNames',
] as const;

/** `server` is the name under which the developer's clients know it. */
export function toolFindings({ name, definition, tooDeep }: Listed, server: string): Finding[] {
  const findings: Finding[] = [];
  const find = (rule: FindingRule, where: string, ...words: string[]): void =>
    void findings.push({ rule, where, words });
  const { inputSchema, outputSchema, description } = definition;
  if (!/^[\w-]{1,64}$/.test(name)) find('tool-name', 'name');
  const combined = server.length + name.length;
  if (combined >= cursorNameLength) find('combined-name-long', 'name', String(combined));
  if (typeof description === 'string' && description.length > claudeCodeTextLength) {
    find('description-cut', 'description', String(description.length));
  }
  if (tooDeep) find('too-deep', 'inputSchema', String(maxDefinitionDepth));
  else judgeRoot(inputSchema, find);
  if (outputSchema !== undefined && !isOfObject(outputSchema)) find('output-not-object', 'outputSchema');
  for (const [place, schema] of Object.entries({ inputSchema, outputSchema })) {
    for (const [key, value] of properties(schema)) {
      if (!isJsonObject(value)) find('property-not-object', `${place}.properties.${key}`);
    }
  }
  for (const node of schemaNodes(inputSchema, 'inputSchema')) judgeNode(node, find);
  return findings;
}

export function listFindings(tools: number, tokens: number): Finding[] {
  const findings: Finding[] = [];
  if (tools > copilotTools) findings.push({ rule: 'many-tools', where: 'tools', words: [String(tools)] });
  else if (tools > cursorTools) findings.push({ rule: 'many-tools-cursor', where: 'tools', words: [String(tools)] });
  if (tokens > claudeCodeTokens) findings.push({ rule: 'many-tokens', where: 'tools', words: [thousands(tokens)] });
  return findings;
}

type Find = (rule: FindingRule, where: string, ...words: string[]) => void;

function judgeRoot(schema: JsonValue | undefined, find: Find): void {
  if (!isJsonObject(schema) || !isOfObject(schema)) find('root-not-object', 'inputSchema');
  if (!isJsonObject(schema)) return;
  const found = combinations.filter((key) => schema[key] !== undefined);
  if (found.length > 0) find('combined-root', 'inputSchema', found.join(', '));
  for (const [key] of properties(schema)) {
    if (!/^[\w.-]{1,64}$/.test(key)) find('property-name', `inputSchema.properties.${key}`);
  }
}

function judgeNode({ schema, where }: SchemaNode, find: Find): void {
  const { type } = schema;
  if (type === 'array' && !isJsonObject(schema['items']) && schema['prefixItems'] === undefined) {
    find('array-without-items', where);
  }
  if (Array.isArray(type)) find('type-list', where, type.filter((one) => typeof one === 'string').join(', '));
  if (typeof schema['$ref'] === 'string') find('reference', where);
  const values = schema['enum'];
  if (
    Array.isArray(values) &&
    (values.some((value) => typeof value !== 'string') || (type !== undefined && type !== 'string'))
  ) {
    find('enum-not-string', where);
  }
  const unknown = unknownToGemini.filter((key) => schema[key] !== undefined && schema[key] !== false);
  if (unknown.length > 0) find('unknown-keyword', where, unknown.join(', '));
}

function isOfObject(schema: JsonValue): boolean {
  return isJsonObject(schema) && schema['type'] === 'object';
}

function properties(schema: JsonValue | undefined): [string, JsonValue][] {
  const found: JsonObject | undefined =
    isJsonObject(schema) && isJsonObject(schema['properties']) ? schema['properties'] : undefined;
  return found ? Object.entries(found) : [];
}

/** As English texts write it; the reader's language may write it in another way. */
function thousands(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}
