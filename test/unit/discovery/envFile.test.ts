import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxEnvFileEntries, parseEnvFile } from '../../../src/discovery/envFile.ts';

describe('parseEnvFile', () => {
  it('reads the common dialect', () => {
    const text = [
      '# comment',
      'PLAIN=value # note',
      'export EXPORTED=yes',
      'EMPTY=',
      'HASH=a#b',
      `SINGLE='a # "b" \\n'`,
      'DOUBLE="a # b\\nc \\"d\\"" # note',
      '  SPACED  =  x y  ',
      'TWICE=1',
      'TWICE=2',
      'no assignment',
      '=nameless',
      '1BAD=x',
    ].join('\r\n');
    expect(Object.fromEntries(parseEnvFile(text))).toEqual({
      PLAIN: 'value',
      EXPORTED: 'yes',
      EMPTY: '',
      HASH: 'a#b',
      SINGLE: 'a # "b" \\n',
      DOUBLE: 'a # b\nc "d"',
      SPACED: 'x y',
      TWICE: '2',
    });
  });

  it('takes a bounded number of variables', () => {
    const text = Array.from({ length: maxEnvFileEntries + 5 }, (_, n) => `V${n}=x`).join('\n');
    expect(parseEnvFile(text).length).toBe(maxEnvFileEntries);
  });

  it('throws on no text and gives names that can be set', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const [name] of parseEnvFile(text)) expect(name).toMatch(/^[A-Za-z_][\w.-]*$/);
      }),
    );
  });
});
