import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainJson, plainLine, plainText } from '../../../src/cli/plainText.ts';

// oxlint-disable-next-line no-control-regex
const ACTING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

describe('plainText', () => {
  it('shows what would act on a terminal', () => {
    expect(plainText('\u001b[2J\u0007x\u009b31m')).toBe('\\u001b[2J\\u0007x\\u009b31m');
    expect(plainText('safe\u202Etxt.exe')).toBe('safe\\u202etxt.exe');
    expect(plainText('two\nlines\tand a tab, ümläüts, 漢字')).toBe('two\nlines\tand a tab, ümläüts, 漢字');
  });

  it('keeps a stranger’s text on its line', () => {
    expect(plainLine('name\nerror: faked\r\n')).toBe('name\\nerror: faked\\u000d\\n');
  });

  it('leaves nothing that acts, in any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(plainText(text)).not.toMatch(ACTING);
        expect(plainLine(text)).not.toMatch(/[\n\r\t]/);
      }),
    );
  });

  it('writes JSON on one line that stands for the same value and does not act', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (json, text) => {
        const value = { json, text, [text]: '\u009b\u202e\u2028' };
        const line = plainJson(value);
        expect(line).not.toMatch(ACTING);
        expect(line).not.toContain('\n');
        expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
