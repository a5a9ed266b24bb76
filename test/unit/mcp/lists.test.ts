import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isJsonObject, type JsonValue } from '../../../src/core/json.ts';
import { filterList, listField } from '../../../src/mcp/lists.ts';

const named =
  (...names: string[]) =>
  (item: JsonValue): boolean =>
    isJsonObject(item) && names.some((name) => name === item['name']);

describe('filterList', () => {
  it('takes out what is refused and leaves every other byte', () => {
    const text =
      '{"id":1 ,"result":{ "x":[1, 2],"tools":[ {"name":"a","d":"]}"} , {"name":"b"},\n  {"name":"c"} ],"nextCursor":"z"},"jsonrpc":"2.0"}';
    expect(filterList(text, 'tools', named('b', 'c'))).toEqual({
      text: '{"id":1 ,"result":{ "x":[1, 2],"tools":[ {"name":"b"},\n  {"name":"c"} ],"nextCursor":"z"},"jsonrpc":"2.0"}',
      removed: 1,
    });
    expect(filterList(text, 'tools', named('a', 'c')).text).toContain('[ {"name":"a","d":"]}"},\n  {"name":"c"} ]');
    expect(filterList(text, 'tools', named())).toMatchObject({ removed: 3 });
    expect(filterList(text, 'tools', named()).text).toContain('"tools":[  ],"nextCursor"');
  });

  it('gives the very text back when all may stay', () => {
    const text = '{"result":{"tools":[{"name":"a"}]}}';
    expect(filterList(text, 'tools', () => true)).toEqual({ text, removed: 0 });
  });

  it('looks only into the list that was asked for, not into one of the same name elsewhere', () => {
    const text =
      '{"tools":[{"name":"x"}],"params":{"result":{"tools":[1]}},"result":{"meta":{"tools":[{"name":"y"}]},"tools":[{"name":"z"}]}}';
    expect(filterList(text, 'tools', named()).removed).toBe(1);
  });

  it('filters each of two lists where a server wrote the key twice, so that no reader sees more', () => {
    const text =
      '{"result":{"tools":[{"name":"a"}],"tools":[{"name":"b"}]},"re\\u0073ult":{"t\\u006fols":[{"name":"c"}]}}';
    expect(filterList(text, 'tools', named()).removed).toBe(3);
  });

  it.each([
    '',
    'x',
    '[]',
    '7',
    '{}',
    '{"result":null}',
    '{"result":{"tools":{}}}',
    '{"result":{"tools":[]}}',
    '{"error":{}}',
  ])('has nothing to take out of %j', (text) =>
    expect(filterList(text, 'tools', () => false)).toEqual({ text, removed: 0 }),
  );

  it('leaves the same message as filtering the parsed one, and touches nothing else', () => {
    const item = fc.record({ name: fc.constantFrom('a', 'b', 'c'), d: fc.jsonValue({ stringUnit: 'binary' }) });
    const spaced = fc.constantFrom(undefined, 1, '\t');
    fc.assert(
      fc.property(fc.array(item), fc.jsonValue(), spaced, fc.subarray(['a', 'b', 'c']), (tools, other, space, keep) => {
        const text = JSON.stringify({ before: other, result: { other, tools, cursor: other }, id: 1 }, null, space);
        const filtered = filterList(text, 'tools', named(...keep));
        const left = tools.filter(({ name }) => keep.includes(name));
        expect(filtered.removed).toBe(tools.length - left.length);
        const expected = { ...(JSON.parse(text) as object), result: { other, tools: left, cursor: other } };
        expect(JSON.parse(filtered.text)).toEqual(JSON.parse(JSON.stringify(expected)));
        const start = text.indexOf('"tools"');
        expect(filtered.text.slice(0, start)).toBe(text.slice(0, start));
      }),
    );
  });
});

describe('listField', () => {
  it('knows the lists of MCP and no others', () => {
    expect(listField('tools/list')).toEqual({ field: 'tools', kind: 'tool' });
    expect(listField('resources/templates/list')).toEqual({ field: 'resourceTemplates', kind: 'resourceTemplate' });
    expect(listField('roots/list')).toBeUndefined();
    expect(listField('constructor')).toBeUndefined();
  });
});
