// Each rule finds what it is about and nothing beside it. What clients made with the TypeScript SDK refuse is held
// against the SDK itself.
import { ListToolsResultSchema } from '@modelcontextprotocol/sdk/types.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../../src/core/json.ts';
import { listFindings, toolFindings } from '../../../../src/mcp/preview/clientRules.ts';
import { findingRows, type FindingRule } from '../../../../src/mcp/preview/finding.ts';
import { listed, maxDefinitionDepth } from '../../../../src/mcp/preview/offer.ts';
import { maxSchemaNodes, schemaNodes } from '../../../../src/mcp/preview/schemaNodes.ts';
import { taking, tool } from './definitions.ts';

type Case = { rule: FindingRule; bad: JsonObject; good: JsonObject; where: string; words?: string[] };

const input = (schema: JsonObject): JsonObject => ({ inputSchema: { type: 'object', ...schema } });
const argument = (schema: JsonObject): JsonObject => input({ properties: { value: schema } });
const at = 'inputSchema.properties.value';

const cases: Case[] = [
  {
    rule: 'root-not-object',
    bad: { inputSchema: { properties: {} } },
    good: input({}),
    where: 'inputSchema',
  },
  {
    rule: 'output-not-object',
    bad: { outputSchema: { type: ['null', 'array'] } },
    good: { outputSchema: { type: 'object' } },
    where: 'outputSchema',
  },
  {
    rule: 'property-not-object',
    bad: { outputSchema: { type: 'object', properties: { result: true } } },
    good: { outputSchema: { type: 'object', properties: { result: {} }, additionalProperties: true } },
    where: 'outputSchema.properties.result',
  },
  {
    rule: 'combined-root',
    bad: input({ anyOf: [{ required: ['a'] }], oneOf: [] }),
    good: argument({ anyOf: [{ type: 'string' }, { type: 'number' }] }),
    where: 'inputSchema',
    words: ['anyOf, oneOf'],
  },
  { rule: 'tool-name', bad: { name: 'mail.read' }, good: { name: 'Mail_read-2' }, where: 'name' },
  { rule: 'tool-name', bad: { name: 'New Tool' }, good: { name: 'a'.repeat(48) }, where: 'name' },
  {
    rule: 'property-name',
    bad: input({ properties: { 'filter[state]': {} } }),
    good: input({ properties: { 'filter.state': {} } }),
    where: 'inputSchema.properties.filter[state]',
  },
  {
    rule: 'array-without-items',
    bad: argument({ type: 'array' }),
    good: argument({ type: 'array', items: {} }),
    where: at,
  },
  {
    rule: 'array-without-items',
    bad: argument({ anyOf: [{ type: 'array' }, { type: 'object' }] }),
    good: argument({ type: 'array', prefixItems: [{}] }),
    where: `${at}.anyOf[0]`,
  },
  {
    rule: 'combined-name-long',
    bad: { name: 'a'.repeat(53) },
    good: { name: 'a'.repeat(52) },
    where: 'name',
    words: ['60'],
  },
  {
    rule: 'type-list',
    bad: argument({ type: ['string', 'null'] }),
    good: argument({ anyOf: [{ type: 'string' }, { type: 'null' }] }),
    where: at,
    words: ['string, null'],
  },
  {
    rule: 'reference',
    bad: argument({ items: { $ref: '#/$defs/a' } }),
    // An argument that is called so is none.
    good: input({ properties: { $ref: { type: 'string' } } }),
    where: `${at}.items`,
  },
  {
    rule: 'enum-not-string',
    bad: argument({ enum: [1, 2] }),
    good: argument({ enum: ['1', '2'], type: 'string' }),
    where: at,
  },
  {
    rule: 'enum-not-string',
    bad: argument({ type: 'number', enum: ['1'] }),
    good: argument({ enum: ['1'] }),
    where: at,
  },
  {
    rule: 'unknown-keyword',
    bad: argument({ type: 'integer', exclusiveMinimum: 0 }),
    good: argument({ type: 'integer', minimum: 1, uniqueItems: false }),
    where: at,
    words: ['exclusiveMinimum'],
  },
  {
    rule: 'description-cut',
    bad: { description: 'x'.repeat(2_049) },
    good: { description: 'x'.repeat(2_048) },
    where: 'description',
    words: ['2049'],
  },
];

const found = (definition: JsonObject) => toolFindings(tool(definition), 'weather');

describe('toolFindings', () => {
  it.each(cases)('finds $rule at $where, and nothing in what is allowed', ({ rule, bad, good, where, words = [] }) => {
    expect(found(bad)).toContainEqual({ rule, where, words });
    expect(found(good).filter((finding) => finding.rule === rule)).toEqual([]);
  });

  it('finds nothing in a plain tool', () => {
    expect(found({})).toEqual([]);
    const plain = {
      type: 'object',
      properties: { city: { type: 'string', description: 'Where' } },
      required: ['city'],
    };
    expect(found({ inputSchema: { $schema: 'http://json-schema.org/draft-07/schema#', ...plain } })).toEqual([]);
  });

  it('has a case for every rule about a tool, and a source for every rule about a client', () => {
    const inLists: FindingRule[] = ['many-tools', 'many-tools-cursor', 'many-tokens', 'instructions-cut'];
    const ofClients = Object.entries(findingRows).flatMap(([rule, row]) => ('source' in row ? [rule] : []));
    expect([...new Set([...cases.map(({ rule }) => rule as string), ...inLists])].sort()).toEqual(ofClients.sort());
  });

  it.each(cases.filter(({ rule }) => rule.endsWith('object')))('agrees with the SDK on $rule', ({ bad, good }) => {
    const list = (definition: JsonObject): boolean =>
      ListToolsResultSchema.safeParse({ tools: [tool(definition).definition] }).success;
    expect([list(bad), list(good)]).toEqual([false, true]);
  });

  it('judges a definition that is too deep by its top alone', () => {
    let deep: JsonObject = { type: 'array' };
    for (let level = 0; level < 5_000; level += 1) deep = { type: 'array', items: deep };
    const bottomless = taking(deep);
    expect(bottomless.definition).not.toHaveProperty('inputSchema');
    expect(toolFindings(bottomless, 'weather')).toEqual([
      { rule: 'too-deep', where: 'inputSchema', words: [String(maxDefinitionDepth)] },
    ]);
  });

  it('takes whatever a server may write in place of a definition', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.jsonValue({ maxDepth: 6 }), (inputSchema, annotations) => {
        const strange = listed({ name: 'x', inputSchema, outputSchema: annotations } as JsonObject)!;
        const { properties } = { properties: strange.definition };
        for (const { rule, where } of toolFindings(strange, 'weather')) {
          expect(Object.keys(findingRows)).toContain(rule);
          expect(where).toMatch(/^(?:name|inputSchema|outputSchema)/);
        }
        expect(properties).toBeDefined();
      }),
    );
  });
});

describe('schemaNodes', () => {
  it('ends at its bound, however many schemas there are', () => {
    const many = Object.fromEntries(Array.from({ length: maxSchemaNodes + 10 }, (_, index) => [`p${index}`, {}]));
    expect(schemaNodes({ properties: many }, 'inputSchema')).toHaveLength(maxSchemaNodes);
  });
});

describe('listFindings', () => {
  const rules = (tools: number, tokens = 0) => listFindings(tools, tokens).map(({ rule }) => rule);

  it('says whose limits a list exceeds', () => {
    expect(rules(80)).toEqual([]);
    expect(rules(81)).toEqual(['many-tools-cursor']);
    expect(rules(128)).toEqual(['many-tools-cursor']);
    expect(rules(129)).toEqual(['many-tools']);
    expect(listFindings(1, 25_001)).toEqual([{ rule: 'many-tokens', where: 'tools', words: ['25,001'] }]);
    expect(rules(1, 25_000)).toEqual([]);
  });
});
