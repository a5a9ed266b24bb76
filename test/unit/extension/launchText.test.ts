import { describe, expect, it } from 'vitest';
import { commandLine, planChanges, planDocument, planLines } from '../../../src/extension/launchText.ts';
import type { LaunchPlan } from '../../../src/core/server.ts';
import { english } from './english.ts';

const plan: LaunchPlan = {
  hash: 'aa',
  server: 'everything',
  command: '/usr/bin/node',
  args: ['server.js', '--root', '/my files'],
  envNames: ['API_KEY', 'DEBUG'],
  cwd: '/work',
};

it('shows command line, folder and names of the environment, and never a hash', () => {
  expect(planLines(plan, english)).toEqual([
    { name: 'Command', value: '/usr/bin/node server.js --root "/my files"' },
    { name: 'Folder', value: '/work' },
    { name: 'Environment', value: 'API_KEY, DEBUG' },
  ]);
});

it('shows the values by which other code is loaded, escaped, and a change of them', () => {
  const loads = { NODE_OPTIONS: '--require ./evil.js\n', PATH: '' };
  const loading = { ...plan, envNames: ['API_KEY', 'NODE_OPTIONS', 'PATH'], loads };
  const line = String.raw`--require ./evil.js\u{a}`;
  expect(planLines(loading, english).slice(-2)).toEqual([
    { name: 'NODE_OPTIONS, which can load code', value: line },
    { name: 'PATH, which can load code', value: '""' },
  ]);
  expect(planDocument(loading, english)).toContain(`NODE_OPTIONS, which can load code: ${line}\n`);
  const calm = { ...loading, loads: { ...loads, NODE_OPTIONS: '--inspect' } };
  expect(planChanges(calm, loading, english)).toEqual([`NODE_OPTIONS, which can load code: --inspect  →  ${line}`]);
});

it('shows URL and names of the headers of a server that is reached', () => {
  const reached = { hash: 'bb', server: 'web', url: 'http://127.0.0.1:3000/mcp', headerNames: ['x-key'] };
  expect(planLines(reached, english)).toEqual([
    { name: 'URL', value: 'http://127.0.0.1:3000/mcp' },
    { name: 'Headers', value: 'x-key' },
  ]);
});

describe('a plan that changed', () => {
  it('is shown as what was and what is', () => {
    const now = { ...plan, hash: 'cc', args: ['evil.js'], cwd: '/tmp' };
    expect(planChanges(plan, now, english)).toEqual([
      'Command: /usr/bin/node server.js --root "/my files"  →  /usr/bin/node evil.js',
      'Folder: /work  →  /tmp',
    ]);
  });

  it('says so when only a hidden value changed', () => {
    expect(planChanges(plan, { ...plan, hash: 'dd' }, english)).toEqual([
      'Only the value of an environment variable or header changed; values are not shown.',
    ]);
  });

  it('shows what came and what went', () => {
    const { cwd: _cwd, ...without } = plan;
    expect(planChanges(without, plan, english)).toEqual(['Folder: –  →  /work']);
  });

  it('has one line for each argument, so that a diff shows the one that differs', () => {
    expect(planDocument(plan, english).split('\n')).toContain('  --root');
  });
});

it('cannot be made to look like another command by what a stranger wrote', () => {
  expect(commandLine({ command: 'sh', args: ['-c', 'a\nb', 'x\u202Ey', '', 'say "hi"', "it's"] })).toBe(
    String.raw`sh -c "a\u{a}b" x\u{202e}y "" "say \"hi\"" "it's"`,
  );
  const hostile = { ...plan, cwd: '/work\nFolder: /safe' };
  expect(planLines(hostile, english)[1]?.value).toBe(String.raw`/work\u{a}Folder: /safe`);
});
