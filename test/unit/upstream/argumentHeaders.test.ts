import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import type { RpcMessage } from '../../../src/mcp/message.ts';
import { ArgumentHeaders } from '../../../src/upstream/argumentHeaders.ts';

const region = { type: 'string', 'x-mcp-header': 'Region' };
const limit = { type: 'integer', 'x-mcp-header': 'Limit' };
const inputSchema = {
  type: 'object',
  properties: { region, page: { type: 'object', properties: { limit } }, free: {} },
};

function call(args: JsonObject, name = 'find'): RpcMessage & { kind: 'request' } {
  return { kind: 'request', id: 1, method: 'tools/call', params: { name, arguments: args } };
}

function known(): ArgumentHeaders {
  const headers = new ArgumentHeaders();
  headers.learn({ tools: [{ name: 'find', inputSchema }, 'no tool', { name: 'plain', inputSchema: {} }] });
  return headers;
}

describe('the headers of arguments', () => {
  it.each([
    ['say the same', { region: 'eu' }, { 'mcp-param-region': 'eu' }],
    ['say the same, wrapped', { region: 'Hello' }, { 'mcp-param-region': '=?base64?SGVsbG8=?=' }],
    ['are of arguments within others', { page: { limit: 5 } }, { 'mcp-param-limit': '5' }],
    ['are of arguments that were not sent', {}, { 'mcp-param-region': 'eu' }],
    ['are none', { free: 'x' }, {}],
  ])('that %s pass', (_, args, headers) => {
    expect(known().disagreement(call(args), headers)).toBeUndefined();
  });

  it.each([
    ['are absent', { region: 'eu' }, {}, 'mcp-param-region'],
    ['say something else', { region: 'eu' }, { 'mcp-param-region': 'us' }, 'mcp-param-region'],
    ['cannot be read', { region: 'Hello' }, { 'mcp-param-region': '=?base64?SGVsbG8?=' }, 'mcp-param-region'],
    ['are absent within others', { page: { limit: 5 } }, {}, 'mcp-param-limit'],
  ])('that %s are named', (_, args, headers, expected) => {
    expect(known().disagreement(call(args), headers)).toBe(expected);
  });

  it('are not compared for a tool that was never listed, or no longer wants them', () => {
    const headers = known();
    expect(headers.disagreement(call({ region: 'eu' }, 'other'), {})).toBeUndefined();
    headers.learn({ tools: [{ name: 'find', inputSchema: {} }] });
    expect(headers.disagreement(call({ region: 'eu' }), {})).toBeUndefined();
  });
});
