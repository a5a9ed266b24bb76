import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeUtf8Strict, parseStrict, StrictJsonError, strictJsonLimits } from '../../../src/mcp/strictJson.ts';

const refusal = (text: string): string | undefined => {
  try {
    parseStrict(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    return error.reason;
  }
};

describe('parseStrict', () => {
  it.each([
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"a\\"b":1,"a\\u0022b":2}',
    '{"x":{"a":1},"y":[{"b":1,"b":1}]}',
    '{"a":{"k":1},"b":2,"a":3}',
    '{"":1,"":2}',
    '{"__proto__":1,"__proto__":2}',
    '{"a":"\\\\","a":1}',
    '{"\\ud83d\\ude00":1,"😀":2}',
  ])('refuses the same key twice in %s', (text) => {
    expect(refusal(text)).toBe('an object has the same key twice');
  });

  it.each([
    '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}',
    '{"a":"a","b":"a\\"a"}',
    '{"a\\\\":1,"a":2}',
    '{"x":"\\",\\"x\\":1","y":1}',
    '["a","a","a"]',
  ])('takes equal keys of different objects and equal strings: %s', (text) => {
    expect(parseStrict(text)).toEqual(JSON.parse(text));
  });

  it.each([
    '"\\ud800"',
    '"\\udc00"',
    '"\\ud800x"',
    '"\\ud800\\ud800"',
    '"\\udc00\\ud800"',
    '"\\udc00\\udc00"',
    '{"\\uD8aA":1}',
    '"\ud800"',
    '"\ud800\\udc00"',
  ])('refuses half a surrogate pair in %j', (text) => expect(refusal(text)).toMatch(/half of a surrogate pair/));

  it('takes whole pairs, escaped or not, and backslashes that only look like escapes', () => {
    for (const text of [
      '"\\ud83d\\ude00"',
      '"😀"',
      '"\\\\ud800"',
      '"\\u0000"',
      '"\\\\\\\\"',
      '"\\\\\\""',
      '"\\uffff"',
    ]) {
      expect(parseStrict(text)).toBe(JSON.parse(text));
    }
  });

  it('refuses a byte order mark', () => {
    expect(refusal('\ufeff{}')).toBe('a byte order mark is not allowed');
  });

  it('refuses nesting beyond its limit, and takes nesting up to it', () => {
    const nested = (depth: number, open: string, close: string): string => open.repeat(depth) + close.repeat(depth);
    const { maxDepth } = strictJsonLimits;
    expect(refusal(nested(maxDepth, '[', ']'))).toBeUndefined();
    expect(refusal(nested(maxDepth + 1, '[', ']'))).toMatch(/deeper/);
    expect(refusal(`${'{"a":'.repeat(maxDepth + 1)}1${'}'.repeat(maxDepth + 1)}`)).toMatch(/deeper/);
    expect(refusal(nested(1_000_000, '[', ']'))).toMatch(/deeper/);
    expect(refusal(`[${'[],'.repeat(1_000)}[]]`)).toBeUndefined();
  });

  it('refuses numbers that some readers take for infinity', () => {
    expect(refusal('[1e999]')).toBe('a number is too large');
    expect(refusal('{"a":-1E+400}')).toBe('a number is too large');
    expect(refusal(`9${'0'.repeat(400)}`)).toBe('a number is too large');
    expect(refusal('[1e308,-1.5E-999,0.1e1,true,false,123456789012345678901234567890]')).toBeUndefined();
  });

  it.each([
    '',
    ' ',
    '{',
    '[1,]',
    '{"a":1,}',
    "{'a':1}",
    '01',
    '+1',
    'NaN',
    '"\t"',
    '"a',
    '[1]]',
    '{"a" 1}',
    'nul',
    '"\\x"',
    '/**/{}',
  ])('refuses %j, which is not JSON', (text) => expect(refusal(text)).toBe('the text is not JSON'));

  it('says where it stopped', () => {
    expect(() => parseStrict('{"a":1,"a":2}')).toThrow(expect.objectContaining({ offset: 7 }));
    expect(() => parseStrict('[1, 1e999]')).toThrow(expect.objectContaining({ offset: 4 }));
  });

  it('never repeats the text in its reason', () => {
    expect(refusal('{"secret":1,"secret":2}')).not.toContain('secret');
    expect(refusal('secret')).not.toContain('secret');
  });

  it('agrees with JSON.parse on every JSON without duplicates', () => {
    const value = fc.jsonValue({ maxDepth: 8, stringUnit: 'binary' });
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, null, space);
        expect(parseStrict(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  it('refuses every object that holds a key twice, however the key is escaped and wherever it stands', () => {
    const escaped = (key: string): string => {
      const units = Array.from({ length: key.length }, (_, at) => key.charCodeAt(at).toString(16).padStart(4, '0'));
      return `"${units.map((unit) => `\\u${unit}`).join('')}"`;
    };
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 12 }),
        fc.nat(),
        fc.jsonValue(),
        (keys, pick, inner) => {
          const unique = [...new Set(keys)];
          const members = unique.map((key) => `${JSON.stringify(key)}:${JSON.stringify(inner)}`);
          const again = `${escaped(unique[pick % unique.length]!)}:0`;
          expect(refusal(`[{${members.join(', ')}}]`)).toBeUndefined();
          expect(refusal(`[{${[...members, again].join(', ')}}]`)).toBe('an object has the same key twice');
        },
      ),
    );
  });

  it('throws its own error and nothing else, whatever it is given', () => {
    const brokenJson = fc
      .tuple(fc.json(), fc.nat(), fc.string({ unit: 'binary', maxLength: 3 }))
      .map(([text, at, noise]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + noise + text.slice(place + (at % 2));
      });
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), brokenJson), (text) => {
        const reason = refusal(text);
        if (reason === undefined) expect(() => JSON.parse(text) as unknown).not.toThrow();
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes time in proportion to the text, also where it is nothing but escapes or keys', () => {
    const escapes = `"${'\\\\'.repeat(500_000)}"`;
    const keys = `{${Array.from({ length: 50_000 }, (_, key) => `"${key}":1`).join(',')}}`;
    expect(refusal(escapes)).toBeUndefined();
    expect(refusal(keys)).toBeUndefined();
  });
});

describe('decodeUtf8Strict', () => {
  it('gives the text back that was encoded, a byte order mark included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(decodeUtf8Strict(new TextEncoder().encode(text))).toBe(text);
      }),
    );
    expect(decodeUtf8Strict(Uint8Array.of(0xef, 0xbb, 0xbf, 0x31))).toBe('\ufeff1');
  });

  it.each([
    [[0xff]],
    [[0xc0, 0x80]],
    [[0xed, 0xa0, 0x80]],
    [[0xf0, 0x9f, 0x98]],
    [[0x22, 0x80, 0x22]],
    [[0xf5, 0x80, 0x80, 0x80]],
  ])('refuses %j', (bytes) => expect(() => decodeUtf8Strict(Uint8Array.from(bytes))).toThrow(StrictJsonError));
});
