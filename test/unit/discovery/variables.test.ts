import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxResolvedLength, resolveVariables, type VariableFamily } from '../../../src/discovery/variables.ts';

const values = {
  file: '/work/app/manifest.json',
  folder: '/w/project',
  folders: ['/w/project', '/w/other', '/x/same', '/y/same'],
  home: '/home/ada',
  env: { SET: 'value', EMPTY: '', AGAIN: '${SET}', LONG: 'x'.repeat(10_000) },
  pathSeparator: '/',
  inputs: new Map([
    ['key', { id: 'key', description: 'API key' }],
    ['answered', { id: 'answered' }],
  ]),
  answers: new Map([
    ['answered', '${SET}'],
    ['other', 'x'],
  ]),
};
const resolve = (text: string, family: VariableFamily) => resolveVariables(text, family, values);

describe('resolveVariables', () => {
  it.each([
    ['${workspaceFolder}/s.mjs', '/w/project/s.mjs'],
    ['${workspaceFolderBasename}', 'project'],
    ['${workspaceFolder:other}', '/w/other'],
    ['${userHome}${pathSeparator}x${/}y', '/home/ada/x/y'],
    ['<${env:SET}|${env:EMPTY}|${env:UNSET}>', '<value||>'],
    ['$SET ${ SET', '$SET ${ SET'],
  ])('fills in %s as VS Code does', (text, expected) => {
    expect(resolve(text, 'vscode')).toEqual({ text: expected, problems: [] });
  });

  it('puts in what a person answered, and never looks at it again', () => {
    expect(resolve('a ${input:answered} b', 'vscode')).toEqual({ text: 'a ${SET} b', problems: [], answered: true });
    expect(resolve('${user_config.answered}', 'manifest')).toEqual({ text: '${SET}', problems: [], answered: true });
  });

  it('names the inputs that nobody has answered, and no others', () => {
    const key = { id: 'key', description: 'API key' };
    expect(resolve('Bearer ${input:key}', 'vscode')).toEqual({
      text: 'Bearer ${input:key}',
      problems: [],
      needs: [key],
    });
  });

  it.each([
    ['${input:other}', 'needs input “other”, which the file does not define'],
    ['${command:rm}', 'needs the result of the command “rm”, which is never run from here'],
    ['${config:a.b}', 'needs the setting “a.b”'],
    ['${workspaceFolder:none}', 'there is no workspace folder named “none”'],
    ['${workspaceFolder:same}', 'there are 2 workspace folders named “same”'],
    ['${nonsense}', 'the variable ${nonsense} is not known'],
    ['${SET:-x}', 'the variable ${SET:-x} is not known'],
  ])('leaves %s in place and says what is needed', (text, problem) => {
    expect(resolve(text, 'vscode')).toEqual({ text, problems: [problem] });
  });

  it.each([
    ['${SET}/${SET:-other}', 'value/value'],
    ['<${EMPTY:-default}>', '<>'],
    ['${UNSET:-default}', 'default'],
    ['<${UNSET:-}>', '<>'],
    ['${UNSET:-$SET}', '${UNSET:-$SET}'],
    ['$SET', '$SET'],
  ])('fills in %s as Claude Code does', (text, expected) => {
    expect(resolve(text, 'shell').text).toBe(expected);
  });

  it('names a variable that is set nowhere, for Claude Code and Cursor', () => {
    expect(resolve('${UNSET}', 'shell')).toEqual({
      text: '${UNSET}',
      problems: ['needs the environment variable UNSET'],
    });
    expect(resolve('${env:UNSET}', 'cursor').problems).toEqual(['needs the environment variable UNSET']);
    expect(resolve('${env:SET}', 'shell').problems).toEqual(['the variable ${env:SET} is not known']);
  });

  it.each([
    ['${env:SET} ${workspaceFolder} ${workspaceFolderBasename} ${userHome}${/}', 'value /w/project project /home/ada/'],
  ])('fills in %s as Cursor does', (text, expected) => {
    expect(resolve(text, 'cursor')).toEqual({ text: expected, problems: [] });
  });

  it.each([
    ['environment', '${env:SET} ${workspaceFolder} $SET', 'value ${workspaceFolder} $SET', []],
    ['environment', '${env:UNSET}', '${env:UNSET}', ['needs the environment variable UNSET']],
    ['gemini', '$SET/${SET}/$UNSET/${UNSET}.${a-b}$1', 'value/value//.${a-b}$1', []],
    ['opencode', '{env:SET}{env:UNSET} ${SET}', 'value ${SET}', []],
    ['opencode', '{file:~/key}', '{file:~/key}', ['takes a value from the file “~/key”, which is not read from here']],
    ['continue', '${{ secrets.SET }}${SET}', 'value${SET}', []],
    ['continue', '${{secrets.UNSET}}', '${{secrets.UNSET}}', ['needs the secret “UNSET” of Continue']],
    ['continue', '${{ inputs.x }}', '${{ inputs.x }}', ['the variable ${{ inputs.x }} is not known']],
    ['manifest', '${__dirname}/s.js ${HOME}${/}', '/work/app/s.js /home/ada/', []],
    ['manifest', '${user_config.a}', '${user_config.a}', ['needs input “a”, which the file does not define']],
    ['none', '${SET} $SET {env:SET}', '${SET} $SET {env:SET}', []],
  ] as const)('as %s makes %s into %s', (family, text, expected, problems) => {
    expect(resolve(text, family)).toEqual({ text: expected, problems });
  });

  it('never looks at what a variable gave', () => {
    expect(resolve('${AGAIN}', 'shell')).toEqual({ text: '${SET}', problems: [] });
  });

  it('refuses what would grow without measure', () => {
    const { text, problems } = resolve('${LONG}'.repeat(10_000), 'shell');
    expect(text).toBe('');
    expect(problems.at(-1)).toContain('64 KiB');
    expect(resolve('x'.repeat(maxResolvedLength + 1), 'shell').problems.length).toBe(1);
  });

  it('takes no variable from the prototype of anything', () => {
    expect(resolve('${constructor}', 'vscode').problems).toEqual(['the variable ${constructor} is not known']);
    expect(resolve('${env:toString}', 'cursor').problems).toEqual(['needs the environment variable toString']);
  });

  it('leaves text without variables as it is and never throws', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<VariableFamily>('vscode', 'shell', 'cursor'),
        fc.string({ unit: 'binary' }),
        (family, text) => {
          const resolved = resolve(text, family);
          if (!text.includes('${')) expect(resolved).toEqual({ text, problems: [] });
        },
      ),
    );
  });
});
