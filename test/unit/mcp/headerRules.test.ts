import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classifyBody } from '../../../src/mcp/classify.ts';
import { checkHeaders, decodeHeader, type HeaderMismatch } from '../../../src/mcp/headerRules.ts';

const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };

function check(headers: Record<string, string>, ...bodies: object[]): HeaderMismatch | undefined {
  const messages = bodies.map((body) => ({ jsonrpc: '2.0', ...body }));
  const classified = classifyBody(Buffer.from(JSON.stringify(messages.length === 1 ? messages[0] : messages)));
  if (classified.kind === 'invalid') throw new Error(classified.message);
  return checkHeaders(headers, classified.messages, classified.era);
}

const call = (name: string): object => ({ id: 7, method: 'tools/call', params: { name, _meta: META } });
const base64 = (text: string): string => `=?base64?${Buffer.from(text).toString('base64')}?=`;

describe('checkHeaders', () => {
  it('takes headers that repeat the body', () => {
    const headers = { 'mcp-method': 'tools/call', 'mcp-name': 'echo', 'mcp-protocol-version': '2026-07-28' };
    expect(check(headers, call('echo'))).toBeUndefined();
  });

  it('takes headers that are absent, in both eras', () => {
    expect(check({}, call('echo'))).toBeUndefined();
    expect(check({ 'mcp-protocol-version': '2025-06-18' }, { id: 1, method: 'tools/list' })).toBeUndefined();
  });

  it.each([
    ['Mcp-Method', { 'mcp-method': 'tools/list' }],
    ['Mcp-Method', { 'mcp-method': 'tools/call, tools/list' }],
    ['Mcp-Method', { 'mcp-method': 'Tools/Call' }],
    ['Mcp-Method', { 'mcp-method': '' }],
    ['Mcp-Name', { 'mcp-name': 'other' }],
    ['Mcp-Name', { 'mcp-name': base64('other') }],
    ['Mcp-Name', { 'mcp-name': '=?base64?****?=' }],
    ['Mcp-Name', { 'mcp-name': '=?base64?ZWNobw==' }],
    ['MCP-Protocol-Version', { 'mcp-protocol-version': '2025-11-25' }],
  ])('refuses a %s that says something else: %j', (name, headers) => {
    const mismatch = check(headers, call('echo'));
    expect(mismatch).toMatchObject({ rpcCode: -32020, id: 7 });
    expect(mismatch?.message).toContain(name);
  });

  it('refuses a contradicting Mcp-Method of a legacy request, a notification and an answer', () => {
    expect(check({ 'mcp-method': 'tools/list' }, { id: 1, method: 'tools/call', params: { name: 'a' } })).toMatchObject(
      { id: 1 },
    );
    expect(check({ 'mcp-method': 'ping' }, { method: 'notifications/initialized' })).toMatchObject({ id: null });
    expect(check({ 'mcp-method': 'ping' }, { id: 1, result: {} })).toMatchObject({ id: null });
  });

  it('refuses a name header for a call that has no name', () => {
    expect(check({ 'mcp-name': 'a' }, { id: 1, method: 'tools/call' })).toMatchObject({ id: 1 });
  });

  it('compares the uri of resources/read and the name of prompts/get', () => {
    const read = { id: 1, method: 'resources/read', params: { uri: 'file:///ä', _meta: META } };
    expect(check({ 'mcp-name': base64('file:///ä') }, read)).toBeUndefined();
    expect(check({ 'mcp-name': 'file:///a' }, read)).toBeDefined();
    const get = { id: 1, method: 'prompts/get', params: { name: 'p' } };
    expect(check({ 'mcp-name': 'p' }, get)).toBeUndefined();
  });

  it('leaves alone a name header of methods that have none', () => {
    expect(
      check({ 'mcp-name': 'x' }, { id: 1, method: 'tasks/get', params: { taskId: 'x', _meta: META } }),
    ).toBeUndefined();
  });

  it('holds each message of a batch against the headers', () => {
    const list = { id: 1, method: 'tools/list' };
    const other = { id: 2, method: 'tools/call', params: { name: 'rm' } };
    expect(check({ 'mcp-method': 'tools/list' }, list, other)).toMatchObject({ id: 2 });
  });
});

describe('decodeHeader', () => {
  it('takes what is wrapped at one end only as it stands, and nothing that lacks its padding', () => {
    expect(decodeHeader('=?base64?SGVsbG8=')).toBe('=?base64?SGVsbG8=');
    expect(decodeHeader('=?base64?SGVsbG8?=')).toBeUndefined();
    expect(decodeHeader('=?base64?SGVsbG8=?=')).toBe('Hello');
  });

  it('reads back every text that was wrapped', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(decodeHeader(base64(text))).toBe(text);
      }),
    );
  });

  it('gives nothing for wrapped bytes that are no UTF-8', () => {
    expect(decodeHeader(`=?base64?${Buffer.of(0xff).toString('base64')}?=`)).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        decodeHeader(text);
        decodeHeader(`=?base64?${text}?=`);
      }),
    );
  });
});
