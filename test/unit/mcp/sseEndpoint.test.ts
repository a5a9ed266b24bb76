import { describe, expect, it } from 'vitest';
import { opensSse, sseEndpoint, sseTarget } from '../../../src/mcp/sseEndpoint.ts';

const id = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff';

describe('the message endpoint of an HTTP+SSE stream', () => {
  it('is below the MCP endpoint, and an agent that resolves it keeps the secret of its own address', () => {
    const resolved = (address: string, isRelative: boolean): string =>
      new URL(sseEndpoint(id, isRelative), address).href;
    expect(resolved('https://a.example/mcp', false)).toBe(`https://a.example/mcp/message?sessionId=${id}`);
    expect(resolved('https://a.example/mcp', true)).toBe(`https://a.example/mcp/message?sessionId=${id}`);
    expect(resolved('https://a.example/s/mcps_x/mcp', true)).toBe(
      `https://a.example/s/mcps_x/mcp/message?sessionId=${id}`,
    );
  });

  it('is told from everything that only looks like it', () => {
    expect(sseTarget(`/mcp/message?sessionId=${id}`)).toEqual({ endpoint: '/mcp', session: id });
    expect(sseTarget(`/s/x/mcp/message?sessionId=${id}`)).toEqual({ endpoint: '/s/x/mcp', session: id });
    for (const target of [
      '/mcp/message',
      '/mcp/message?',
      '/mcp/message?sessionId=',
      '/mcp/message?sessionId=1',
      `/mcp/message?sessionId=${id.toUpperCase()}`,
      `/mcp/message?sessionId=${id}&x=1`,
      `/mcp/message?x=1&sessionId=${id}`,
      `/mcp/message/?sessionId=${id}`,
      `/mcp/messages?sessionId=${id}`,
      `/mcp?x=/mcp/message?session=${id}`,
      `/message?sessionId=${id}`,
      `/mcp/message?sessionId=${id}\n`,
    ]) {
      expect([target, sseTarget(target)]).toEqual([target, undefined]);
    }
  });
});

describe('a GET', () => {
  const accept = 'text/event-stream';
  it.each([
    [true, { accept }],
    [true, { accept: 'application/json, Text/Event-Stream;q=0.9' }],
    [false, {}],
    [false, { accept: '*/*' }],
    [false, { accept, 'mcp-session-id': 's' }],
    [false, { accept, 'mcp-protocol-version': '2025-06-18' }],
    [false, { accept, 'mcp-protocol-version': '2024-11-05' }],
    [false, { accept, 'last-event-id': '7' }],
  ])('opens a stream of the old transport (%s) with %j', (opens, headers) => {
    expect(opensSse(headers as Record<string, string>)).toBe(opens);
  });
});
