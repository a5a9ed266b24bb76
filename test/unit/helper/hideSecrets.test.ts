import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hideIn, hider } from '../../../src/helper/hideSecrets.ts';

describe('known secrets', () => {
  it('are hidden whole where one is a part of another, and as JSON writes them', () => {
    const hide = hider(['abcd', 'abcdefgh', 'a"b\nc']);
    expect(hide('x abcdefgh y abcd')).toBe('x *** y ***');
    expect(hide(JSON.stringify({ text: 'a"b\nc' }))).toBe('{"text":"***"}');
  });

  it('are hidden in texts and names of members, and a value stays what it is', () => {
    const hide = hider(['true', '1234', 'null', 'items']);
    const value = { items: [true, 1234, null, 'items 1234'], deep: { a: 'true' } };
    expect(hideIn(value, hide)).toEqual({ '***': [true, 1234, null, '*** ***'], deep: { a: '***' } });
    expect(hideIn(JSON.parse('{"__proto__":{"a":"null"}}'), hide)).toEqual(JSON.parse('{"__proto__":{"a":"***"}}'));
  });

  it('never stand in any JSON value that they were hidden in', () => {
    const secrets = fc.array(fc.string({ minLength: 4 }).filter((one) => !one.includes('*')));
    fc.assert(
      fc.property(fc.jsonValue(), secrets, (value, known) => {
        const left = textsOf(hideIn(value, hider(known)));
        expect(left.filter((text) => known.some((one) => text.includes(one)))).toEqual([]);
      }),
    );
  });
});

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return [...(Array.isArray(value) ? [] : Object.keys(value)), ...Object.values(value).flatMap(textsOf)];
}
