import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splice, textAt } from '../../../src/upstream/jsonSplice.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

describe('splice', () => {
  it('puts a value at a path and leaves every other byte as it was', () => {
    const text = '{ "id" : "x\\u00fc" ,"params":{"id":1,"_meta":{ "progressToken":[{"id":2}] }},"ü":"😀"}';
    const edits = [
      { path: ['id'], value: '7' },
      { path: ['params', '_meta', 'progressToken'], value: '"ü"' },
    ];
    expect(splice(bytes(text), edits).toString()).toBe(
      '{ "id" : 7 ,"params":{"id":1,"_meta":{ "progressToken":"ü" }},"ü":"😀"}',
    );
  });

  it('keeps bytes that are no UTF-8', () => {
    const text = Buffer.concat([bytes('{"id":1,"a":"'), Buffer.of(0xff, 0xfe, 0xc3), bytes('"}')]);
    expect(splice(text, [{ path: ['id'], value: '22' }])).toEqual(
      Buffer.concat([bytes('{"id":22,"a":"'), Buffer.of(0xff, 0xfe, 0xc3), bytes('"}')]),
    );
  });

  it('replaces a key that stands twice twice, and puts nothing where nothing stands', () => {
    expect(splice(bytes('{"id":1,"i\\u0064":2}'), [{ path: ['id'], value: '3' }]).toString()).toBe(
      '{"id":3,"i\\u0064":3}',
    );
    expect(splice(bytes('{"a":[]}'), [{ path: ['a', 'id'], value: '3' }]).toString()).toBe('{"a":[]}');
  });

  it('gives back what was there when it is put back', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (rest, id) => {
        const text = bytes(JSON.stringify({ ...rest, id }));
        const own = textAt(text, ['id'])!;
        const lent = splice(text, [{ path: ['id'], value: '12345' }]);
        expect((JSON.parse(lent.toString()) as { id: unknown }).id).toBe(12_345);
        expect(splice(lent, [{ path: ['id'], value: own }])).toEqual(text);
      }),
    );
  });
});
