import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHeader } from '../../../../src/mcp/headerRules.ts';
import {
  encodeHeader,
  headerParameters,
  modernHeaders,
  parameterHeaders,
} from '../../../../src/upstream/eras/modernHeaders.ts';

describe('headers of a modern request', () => {
  it('say what any text is, in what HTTP carries unchanged', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const value = encodeHeader(text);
        expect(value).toMatch(/^[\x20-\x7e]*$/);
        expect(decodeHeader(value)).toBe(text);
      }),
    );
  });

  it('repeat what is named', () => {
    expect(modernHeaders('resources/read', { uri: 'a://ü' })).toEqual({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'resources/read',
      'mcp-name': `=?base64?${Buffer.from('a://ü').toString('base64')}?=`,
    });
    expect(modernHeaders('constructor', {})).not.toHaveProperty('mcp-name');
  });

  it('repeat the arguments that a schema asks for, and no others', () => {
    const inputSchema = {
      properties: {
        region: { type: 'string', 'x-mcp-header': 'Region' },
        deep: { properties: { n: { type: 'integer', 'x-mcp-header': 'N' } } },
        bad: { type: 'string', 'x-mcp-header': 'a\r\nb' },
        plain: { type: 'string' },
      },
    };
    const parameters = headerParameters(inputSchema);
    const args = { region: ' x', deep: { n: 7 }, bad: 'y', plain: 'z' };
    expect(parameterHeaders(parameters, args)).toEqual({ 'mcp-param-region': '=?base64?IHg=?=', 'mcp-param-n': '7' });
    expect(parameterHeaders(parameters, { deep: 'no object' })).toEqual({});
  });
});
