import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter } from '../../../src/core/lines.ts';
import { SseReader } from '../../../src/core/sse.ts';
import { classifyBody, maxBatch, namedVersion, type Classified } from '../../../src/mcp/classify.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const classify = (value: unknown): Classified =>
  classifyBody(bytesOf(typeof value === 'string' ? value : JSON.stringify(value)));
const rpc = (rest: object): object => ({ jsonrpc: '2.0', ...rest });

const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };

describe('classifyBody', () => {
  it('tells requests, notifications, results and errors apart', () => {
    const kinds = [
      { id: 1, method: 'tools/list' },
      { method: 'notifications/initialized' },
      { id: 's', result: {} },
      { id: 0, error: { code: -1, message: 'no' } },
      { id: null, error: { code: -1, message: 'no' } },
    ].map((message) => {
      const classified = classify(rpc(message));
      return classified.kind === 'messages' ? classified.messages[0]?.kind : classified.message;
    });
    expect(kinds).toEqual(['request', 'notification', 'result', 'error', 'error']);
  });

  it.each([0, -1, '', '0', 'a\u0000b', Number.MAX_SAFE_INTEGER, 1.5])(
    'takes %j as an id and leaves it what it is',
    (id) => {
      const classified = classify(rpc({ id, method: 'ping' }));
      expect(classified).toMatchObject({ kind: 'messages', messages: [{ id }] });
    },
  );

  it.each(['null', 'true', '{}', '[]', '9007199254740993', '1e300'])('refuses %s as an id of a request', (id) => {
    expect(classify(`{"jsonrpc":"2.0","id":${id},"method":"ping"}`)).toMatchObject({
      kind: 'invalid',
      rpcCode: -32600,
      id: null,
    });
  });

  it('passes keys it does not know', () => {
    expect(classify(rpc({ id: 1, method: 'ping', trace: [1], extra: null }))).toMatchObject({ kind: 'messages' });
  });

  it.each([
    ['no jsonrpc', { id: 1, method: 'a' }],
    ['another jsonrpc', { jsonrpc: '1.0', id: 1, method: 'a' }],
    ['a method that is no string', rpc({ id: 1, method: 7 })],
    ['an empty method', rpc({ id: 1, method: '' })],
    ['a method and a result', rpc({ id: 1, method: 'a', result: {} })],
    ['a result and an error', rpc({ id: 1, result: {}, error: { code: 1, message: 'x' } })],
    ['neither', rpc({ id: 1 })],
    ['params that are text', rpc({ id: 1, method: 'a', params: 'x' })],
    ['params that are null', rpc({ id: 1, method: 'a', params: null })],
    ['an error that is text', rpc({ id: 1, error: 'x' })],
    ['an error without code', rpc({ id: 1, error: { message: 'x' } })],
    ['a result without id', rpc({ result: {} })],
  ])('refuses %s with -32600', (_what, message) => {
    expect(classify(message)).toMatchObject({ kind: 'invalid', rpcCode: -32600 });
  });

  it('names the id of what it refuses, where there is one', () => {
    expect(classify({ id: 'x', method: 'a' })).toMatchObject({ kind: 'invalid', id: 'x' });
  });

  it.each(['', '{', '{"a":1,"a":2}', '\ufeff{}', '"\\ud800"', '['.repeat(100)])(
    'refuses %j with -32700 and no id',
    (text) => {
      expect(classify(text)).toMatchObject({ kind: 'invalid', rpcCode: -32700, id: null });
    },
  );

  it('refuses bytes that are no UTF-8 with -32700', () => {
    expect(classifyBody(Uint8Array.of(0x7b, 0xff, 0x7d))).toMatchObject({ kind: 'invalid', rpcCode: -32700 });
  });

  it.each(['1', '"x"', 'null', 'true'])('refuses %s with -32600', (text) => {
    expect(classify(text)).toMatchObject({ kind: 'invalid', rpcCode: -32600 });
  });
});

describe('a batch', () => {
  const ping = (id: number): object => rpc({ id, method: 'ping' });

  it('is taken with all its messages, in order', () => {
    const classified = classify([ping(2), rpc({ method: 'notifications/x' }), ping(1)]);
    expect(classified).toMatchObject({ kind: 'messages', batch: true, era: 'legacy' });
    expect(classified.kind === 'messages' && classified.messages.map(({ kind }) => kind)).toEqual([
      'request',
      'notification',
      'request',
    ]);
  });

  it('of one message is still a batch', () => {
    expect(classify([ping(1)])).toMatchObject({ batch: true });
    expect(classify(ping(1))).toMatchObject({ batch: false });
  });

  it.each([
    ['is empty', []],
    ['uses an id twice', [ping(1), ping(1)]],
    ['holds something else', [ping(1), 7]],
    ['holds a batch', [[ping(1)]]],
    ['is too long', Array.from({ length: maxBatch + 1 }, (_, id) => ping(id))],
    ['is of an era that has none', [rpc({ id: 1, method: 'server/discover', params: { _meta: META } })]],
  ])('that %s is refused with -32600', (_what, batch) => {
    expect(classify(batch)).toMatchObject({ kind: 'invalid', rpcCode: -32600 });
  });

  it('takes the string "1" and the number 1 for two ids', () => {
    expect(classify([ping(1), rpc({ id: '1', method: 'ping' })])).toMatchObject({ kind: 'messages' });
  });
});

describe('the era', () => {
  it.each([
    ['legacy', { id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25' } }],
    ['modern', { id: 1, method: 'initialize', params: { _meta: META } }],
    [
      'legacy',
      {
        id: 1,
        method: 'initialize',
        params: { _meta: { ...META, 'io.modelcontextprotocol/protocolVersion': '2025-11-25' } },
      },
    ],
    ['legacy', { id: 1, method: 'tools/list' }],
    ['legacy', { id: 1, method: 'tools/list', params: { _meta: { progressToken: 1 } } }],
    ['legacy', { id: 1, result: { _meta: META } }],
    ['modern', { id: 1, method: 'tools/list', params: { _meta: META } }],
    ['modern', { id: 1, method: 'server/discover' }],
    ['modern', { id: 1, method: 'subscriptions/listen', params: {} }],
    ['modern', { method: 'notifications/cancelled', params: { _meta: META } }],
  ])('is %s for %j', (era, message) => {
    expect(classify(rpc(message))).toMatchObject({ kind: 'messages', era });
  });

  it('names the version a modern request asks for', () => {
    const classified = classify(rpc({ id: 1, method: 'tools/list', params: { _meta: META } }));
    expect(classified.kind === 'messages' && namedVersion(classified.messages[0]!)).toBe('2026-07-28');
  });
});

describe('over any way of arriving', () => {
  const message = fc.record(
    {
      jsonrpc: fc.constantFrom('2.0', '1.0'),
      id: fc.oneof(fc.string(), fc.integer()),
      method: fc.string(),
      params: fc.jsonValue(),
    },
    { requiredKeys: ['jsonrpc'] },
  );
  const cutAt = (bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] => {
    const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
    return [...places, bytes.length].map((to, at) => bytes.slice(at === 0 ? 0 : places[at - 1], to));
  };

  it('a message is classified the same, as a line, as an event and as a body', () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1 }), fc.array(fc.nat()), (messages, cuts) => {
        const texts = messages.map((one) => JSON.stringify(one));
        const expected = texts.map((text) => classify(text));

        const byLine: Classified[] = [];
        const lines = new LineSplitter({
          maxLineBytes: 1_000_000,
          onLine: (_line, bytes) => byLine.push(classifyBody(bytes)),
          onOverlong: (error) => expect.unreachable(error.message),
        });
        for (const piece of cutAt(bytesOf(texts.map((text) => `${text}\n`).join('')), cuts)) lines.push(piece);
        expect(byLine).toEqual(expected);

        const byEvent: Classified[] = [];
        const events = new SseReader({ maxEventBytes: 1_000_000, onEvent: ({ data }) => byEvent.push(classify(data)) });
        for (const piece of cutAt(bytesOf(texts.map((text) => `data: ${text}\n\n`).join('')), cuts)) events.push(piece);
        expect(byEvent).toEqual(expected);
      }),
    );
  });

  it('nothing is ever thrown', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => ['messages', 'invalid'].includes(classifyBody(bytes).kind)));
    fc.assert(fc.property(fc.json(), (text) => ['messages', 'invalid'].includes(classify(text).kind)));
  });
});
