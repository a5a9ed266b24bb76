import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { legacyResult, modernResult } from '../../../../src/upstream/eras/resultForms.ts';

const lists = ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list', 'resources/read'];
const methods = fc.constantFrom('tools/call', 'prompts/get', 'completion/complete', 'x/unknown', ...lists);
/** What only one era knows is left out; an empty `_meta` says nothing. */
const known = fc
  .dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true })
  .filter((one) =>
    ['resultType', 'ttlMs', 'cacheScope', '_meta', 'structuredContent', 'tools'].every(
      (key) => !Object.hasOwn(one, key),
    ),
  );

describe('results', () => {
  it('of a legacy server are the same after they went to the modern form and back', () => {
    fc.assert(
      fc.property(methods, known, fc.option(fc.constant({ mine: 1 })), (method, result, meta) => {
        const legacy = JSON.stringify(meta === null ? result : { ...result, _meta: meta });
        const modern = modernResult(method, legacy, '{"name":"s","version":"1"}');
        expect(JSON.parse(modern)).toMatchObject({
          resultType: 'complete',
          _meta: { 'io.modelcontextprotocol/serverInfo': { name: 's', version: '1' } },
        });
        expect(JSON.parse(legacyResult(method, modern))).toEqual(JSON.parse(legacy));
      }),
    );
  });

  it('of lists say in modern form that nobody may keep them, and keep numbers as they were written', () => {
    const modern = modernResult('tools/list', '{"tools":[{"name":"a","x":12345678901234567890}]}', undefined);
    expect(modern).toBe(
      '{"tools":[{"name":"a","x":12345678901234567890}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}',
    );
  });

  it('that ask for input are not to be kept, and say so themselves', () => {
    const modern = modernResult('resources/read', '{"resultType":"input_required"}', undefined);
    expect(modern).toBe('{"resultType":"input_required"}');
  });

  it.each(['[1,2]', '"text"', '7', 'null', 'true'])(
    'hold %s, which a legacy schema refuses, in an object and as text',
    (value) => {
      const legacy = legacyResult('tools/call', `{"content":[],"structuredContent":${value},"resultType":"complete"}`);
      expect(JSON.parse(legacy)).toEqual({
        content: [{ type: 'text', text: value }],
        structuredContent: { result: JSON.parse(value) as unknown },
      });
    },
  );

  it('keep the text that a tool wrote itself', () => {
    const content = '[{"type":"image","data":"x"},{"type":"text","text":"mine"}]';
    const legacy = legacyResult('tools/call', `{"content":${content},"structuredContent":[1]}`);
    expect(legacy).toContain(`"content":${content}`);
  });

  it('of tools/list have output schemas that are objects, or none where one refers into itself', () => {
    const tools = [
      { name: 'object', outputSchema: { type: 'object', properties: { $ref: {} } } },
      { name: 'list', outputSchema: { type: 'array', items: { type: 'string' } } },
      { name: 'any', outputSchema: { anyOf: [{ $ref: '#/$defs/a' }], $defs: { a: {} } } },
      { name: 'none' },
    ];
    expect(JSON.parse(legacyResult('tools/list', JSON.stringify({ tools })))).toEqual({
      tools: [
        tools[0],
        {
          name: 'list',
          outputSchema: { type: 'object', properties: { result: tools[1]!.outputSchema }, required: ['result'] },
        },
        { name: 'any' },
        tools[3],
      ],
    });
  });
});
