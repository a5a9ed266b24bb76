import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memberText, withMembers } from '../../../src/mcp/jsonEdit.ts';

const anObject = fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true });

describe('withMembers', () => {
  it('changes what it was told to and nothing else', () => {
    fc.assert(
      fc.property(anObject, fc.string(), fc.jsonValue(), fc.nat(4), (object, key, value, indent) => {
        const text = withMembers(JSON.stringify(object, null, indent), { [key]: JSON.stringify(value) });
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify({ ...object, [key]: value })));
      }),
    );
  });

  it('takes out what it was told to and nothing else', () => {
    fc.assert(
      fc.property(anObject, (object) => {
        const [key = 'absent'] = Object.keys(object);
        const { [key]: _gone, ...rest } = object;
        expect(JSON.parse(withMembers(JSON.stringify(object), { [key]: undefined }))).toEqual(
          JSON.parse(JSON.stringify(rest)),
        );
      }),
    );
  });

  it('keeps numbers that no double holds, and escapes, as they were written', () => {
    const text = '{"id": 12345678901234567890, "x": 1.0, "y": "\\u0041", "z": -0}';
    expect(withMembers(text, { z: '1' })).toBe('{"id":12345678901234567890,"x":1.0,"y":"\\u0041","z":1}');
  });

  it('lets the last of two values count', () => {
    expect(withMembers('{"a":1,"a":2}', {})).toBe('{"a":2}');
  });

  it('keeps a member that is called __proto__', () => {
    expect(withMembers('{"__proto__":1}', { a: '2' })).toBe('{"__proto__":1,"a":2}');
  });
});

describe('memberText', () => {
  it('gives the value as it was written, and nothing of a text that is no object', () => {
    expect(memberText(' {"a" : [1, 2.0] }', 'a')).toBe('[1, 2.0]');
    expect(memberText('[1]', 'a')).toBeUndefined();
  });
});
