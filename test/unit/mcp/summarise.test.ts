import { describe, expect, it } from 'vitest';
import type { RpcMessage } from '../../../src/mcp/message.ts';
import { maxMethodLength, maxNameLength, resultStatus, summarise } from '../../../src/mcp/summarise.ts';

const request = (method: string, params?: object): RpcMessage =>
  ({ kind: 'request', id: 1, method, params }) as RpcMessage;

describe('summarise', () => {
  it.each([
    ['tools/call', { name: 'echo' }, 'echo'],
    ['prompts/get', { name: 'hello' }, 'hello'],
    ['resources/read', { uri: 'file:///a' }, 'file:///a'],
    ['resources/subscribe', { uri: 'file:///a' }, 'file:///a'],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'p' } }, 'p'],
    ['completion/complete', { ref: { type: 'ref/resource', uri: 'u' } }, 'u'],
  ])('names what %s is about', (method, params, name) => {
    expect(summarise(request(method, params))).toEqual({ method, name });
  });

  it('has no name where there is none, or where it is no text', () => {
    expect(summarise(request('tools/list'))).toEqual({ method: 'tools/list' });
    expect(summarise(request('tools/call', { name: { a: 1 } }))).toEqual({ method: 'tools/call' });
    expect(summarise(request('tools/call', ['echo']))).toEqual({ method: 'tools/call' });
  });

  it('cuts what strangers made long', () => {
    const summary = summarise(request('tools/call', { name: 'n'.repeat(10_000) }));
    expect(summary.name).toHaveLength(maxNameLength);
    expect(summarise(request('m'.repeat(10_000))).method).toHaveLength(maxMethodLength);
  });
});

describe('resultStatus', () => {
  it('keeps a tool that failed apart from a call that failed', () => {
    expect(resultStatus({ kind: 'result', id: 1, result: {} })).toBe('ok');
    expect(resultStatus({ kind: 'result', id: 1, result: { isError: true } })).toBe('tool-error');
    expect(resultStatus({ kind: 'result', id: 1, result: { isError: 'true' } })).toBe('ok');
    expect(resultStatus({ kind: 'error', id: 1, error: { code: 1, message: '' } })).toBe('error');
  });
});
