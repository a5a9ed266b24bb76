import { expect, it } from 'vitest';
import { programLine } from '../../../src/upstream/windowsCommand.ts';

const cmd = 'C:\\Windows\\System32\\cmd.exe';
const lineOf = (args: string[]): string => programLine('C:\\npm\\npx.cmd', args, 'win32', cmd).args[3]!;

it('leaves programs alone, and everything on other systems', () => {
  expect(programLine('C:\\node.exe', ['a b'], 'win32', cmd)).toEqual({
    file: 'C:\\node.exe',
    args: ['a b'],
    verbatim: false,
  });
  expect(programLine('/bin/x.cmd', ['%PATH%'], 'linux', cmd)).toEqual({
    file: '/bin/x.cmd',
    args: ['%PATH%'],
    verbatim: false,
  });
});

it('gives batch files to cmd.exe, as one line that it takes for what it is', () => {
  const { file, args, verbatim } = programLine('C:\\Program Files\\npx.CMD', ['-y'], 'win32', cmd);
  expect([file, verbatim, args.slice(0, 3)]).toEqual([cmd, true, ['/d', '/s', '/c']]);
  expect(args[3]).toBe('"^"C:\\Program^ Files\\npx.CMD^" ^^^"-y^^^""');
});

it('leaves no character that cmd.exe would act on without its escape', () => {
  const hostile = '& del * | > < ^ % ! ( ) " \r\n calc ; ,';
  const unescaped = lineOf([hostile]).slice(1, -1).replace(/\^./g, '');
  expect(unescaped).not.toMatch(/[&|<>^%!()"\r\n;,*]/);
});

it('doubles backslashes only before a quote and at the end', () => {
  const plain = lineOf(['C:\\a\\', 'x\\"y']).replace(/\^/g, '');
  expect(plain).toContain('"C:\\a\\\\"');
  expect(plain).toContain('"x\\\\\\"y"');
});
