import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readChildLine } from '../../../src/upstream/childMessage.ts';

const read = (line: string): ReturnType<typeof readChildLine> => readChildLine(line, Buffer.from(line));

describe('readChildLine', () => {
  it.each([
    ['{"jsonrpc":"2.0","id":1,"method":"ping"}', { kind: 'request', method: 'ping' }],
    ['{"jsonrpc":"2.0","method":"a"}', { kind: 'notification', method: 'a', progressToken: undefined }],
    ['{"jsonrpc":"2.0","id":0,"result":null}', { kind: 'answer', id: 0 }],
    [' {"jsonrpc":"2.0","id":"","error":{}}', { kind: 'answer', id: '' }],
    ['{"jsonrpc":"2.0","error":{"code":1}}', { kind: 'answer', id: null }],
    [
      '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":0}}',
      { kind: 'notification', progressToken: 0 },
    ],
    [
      '{"jsonrpc":"2.0","method":"other","params":{"progressToken":0}}',
      { kind: 'notification', progressToken: undefined },
    ],
    ['{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":{}}}', { progressToken: undefined }],
  ])('reads %s', (line, message) => {
    expect(read(line)).toMatchObject([message]);
    expect(Buffer.from(read(line)![0]!.bytes).toString()).toBe(line);
  });

  it('reads each message of a batch with its own bytes', () => {
    const messages = read('[ {"jsonrpc":"2.0","id":1, "result":{}} ,{"jsonrpc":"2.0","method":"a"}]');
    expect(messages?.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual([
      '{"jsonrpc":"2.0","id":1, "result":{}}',
      '{"jsonrpc":"2.0","method":"a"}',
    ]);
  });

  it.each([
    '',
    'text',
    '7',
    'null',
    '"x"',
    '{}',
    '[]',
    '[7]',
    '{"jsonrpc":"2.0"}',
    '{"jsonrpc":"2.0","id":1}',
    '{"id":1,"result":{}}',
    '{"level":30,"method":"GET"}',
    '{',
    '[{"jsonrpc":"2.0","method":"a"},7]',
  ])('takes %j for noise', (line) => expect(read(line)).toBeUndefined());

  it('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
        read(line);
      }),
    );
  });
});
