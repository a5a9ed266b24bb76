import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxCommandLine, parseCommandLine, printCommandLine } from '../../../src/core/commandLine.ts';
import { TunnelError } from '../../../src/core/errors.ts';

describe('a command line in one field', () => {
  it.each([
    ['node server.mjs', 'node', ['server.mjs']],
    ['  npx  -y   @scope/x@1 ', 'npx', ['-y', '@scope/x@1']],
    [`"C:\\\\Program Files\\\\x.exe" 'it''s' a"b c"d`, 'C:\\Program Files\\x.exe', ['its', 'ab cd']],
    ['a \\| "$HOME|x" \'$(x)\' ""', 'a', ['|', '$HOME|x', '$(x)', '']],
  ])('%s is read as words', (line, command, args) => {
    expect(parseCommandLine(line)).toEqual({ command, args });
  });

  it.each([
    '',
    '   ',
    '""',
    'a "b',
    "a 'b",
    'a | b',
    'a && b',
    'a; b',
    'a > f',
    'a $(b)',
    'a `b`',
    'a $HOME',
    'a'.repeat(maxCommandLine + 1),
  ])('refuses %j, which would mean something else or nothing', (line) => {
    expect(() => parseCommandLine(line)).toThrow(TunnelError);
  });

  it('reads back what it prints, whatever the words', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.array(fc.string()), (command, args) => {
        expect(parseCommandLine(printCommandLine(command, args))).toEqual({ command, args });
      }),
    );
  });

  it('reads any line or refuses it with a sentence', () => {
    fc.assert(
      fc.property(fc.string(), (line) => {
        try {
          expect(parseCommandLine(line).command).not.toBe('');
        } catch (error) {
          expect(error).toBeInstanceOf(TunnelError);
        }
      }),
    );
  });
});
