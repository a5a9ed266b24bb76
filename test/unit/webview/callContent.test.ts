import { expect, it } from 'vitest';
import type { CapturedMessage, ExchangeDetail } from '../../../src/protocol/inspector.ts';
import { callContent, maxPrettyCharacters, prettyMessage } from '../../../src/webview/callContent.ts';
import { row } from './rows.ts';

function message(text: string): CapturedMessage {
  return { atMs: 1, direction: 'server-to-agent', text, bytes: text.length };
}

function detail(request: string | undefined, messages: string[], changes = {}): ExchangeDetail {
  return {
    row: row(1, changes),
    httpMethod: 'POST',
    path: '/mcp',
    requestHeaders: [],
    responseHeaders: [],
    messages: messages.map(message),
    timings: {},
    ...(request === undefined ? {} : { request: message(request) }),
  };
}

it('shows parameters and result of a call, past the progress that came before it', () => {
  const call = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hi"}}}';
  const progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}';
  const result = '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}';
  const { parameters, answer } = callContent(detail(call, [progress, result]));
  expect(JSON.parse(parameters!)).toEqual({ name: 'echo', arguments: { message: 'hi' } });
  expect(parameters).toContain('\n  "arguments"');
  expect(answer).toEqual({ kind: 'result', text: '{\n  "content": []\n}' });
});

it('shows the error of a call that failed', () => {
  const { answer } = callContent(detail('{}', ['{"jsonrpc":"2.0","id":1,"error":{"code":-32010,"message":"no"}}']));
  expect(answer?.kind).toBe('error');
  expect(answer?.text).toContain('-32010');
});

it('shows as it came what cannot be read: a cut recording, a page of HTML', () => {
  const cut = '{"jsonrpc":"2.0","id":1,"params":{"text":"aaa';
  const { parameters, answer } = callContent(detail(cut, ['<html>'], { status: 'error' }));
  expect(parameters).toBe(cut);
  expect(answer).toEqual({ kind: 'error', text: '<html>' });
});

it('has nothing to show of a request without parameters or answer', () => {
  expect(callContent(detail('{"jsonrpc":"2.0","id":1,"method":"ping"}', []))).toEqual({
    parameters: undefined,
    answer: undefined,
  });
  expect(callContent(detail(undefined, []))).toEqual({ parameters: undefined, answer: undefined });
});

it('leaves a text alone that is too long to make pretty', () => {
  const long = `{"a":"${'x'.repeat(maxPrettyCharacters)}"}`;
  expect(prettyMessage(message(long))).toBe(long);
  expect(prettyMessage(message('{"a":1}'))).toBe('{\n  "a": 1\n}');
});
