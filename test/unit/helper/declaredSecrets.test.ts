import { describe, expect, it } from 'vitest';
import { declaredSecrets } from '../../../src/helper/declaredSecrets.ts';
import { KnownSecrets } from '../../../src/helper/knownSecrets.ts';
import { maxSecrets } from '../../../src/traffic/redact.ts';

const command = (args: string[], env: Record<string, string | null> = {}): string[] =>
  declaredSecrets({ kind: 'stdio', command: 'x', args, env, cwd: '/' });

describe('declaredSecrets', () => {
  it.each([
    ['GITHUB_TOKEN', 'plain words'],
    ['DB_PASSWORD', 'hunter2hunter2'],
    ['SOMETHING', 'ghp_16C7e42F292c6912E7710c838347Ae178B4a'],
    ['SOMETHING', 'sk-proj-4f9aK2mX8qLz7WvR3tYb1NcD'],
    ['SOMETHING', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r'],
  ])('finds %s=%s in the environment', (name, value) => {
    expect(command([], { [name]: value })).toEqual([value]);
  });

  it.each([
    '/home/me/projects/something-2024/src',
    'node-modules-server-everything',
    'api.internal.example-2.com',
    '1.2.3-beta.4',
    'true',
    '3000',
    'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1',
  ])('leaves %s', (value) => {
    expect(command([value], { SOMETHING: value, ELSE: null })).toEqual([]);
  });

  it('finds them among arguments, by the name before them and by what they look like', () => {
    const args = [
      'server.js',
      '--api-key',
      'plainlywritten',
      '--token=alsoplain',
      '--root=/srv/files',
      'ghp_16C7e42F292c6912E7710c838347Ae178B4a',
    ];
    expect(command(args)).toEqual(['plainlywritten', 'alsoplain', 'ghp_16C7e42F292c6912E7710c838347Ae178B4a']);
  });

  it('finds them in headers, with and without their scheme, and in the query of a URL', () => {
    const url = 'http://127.0.0.1:1/mcp?api_key=plainlywritten&q=plainlywritten2';
    expect(declaredSecrets({ kind: 'http', url, headers: { authorization: 'Bearer abcdefgh' } })).toEqual([
      'Bearer abcdefgh',
      'abcdefgh',
      'plainlywritten',
    ]);
  });

  it('leaves what is too short to be found without finding everything', () => {
    expect(command([], { TOKEN: 'short' })).toEqual([]);
  });
});

describe('KnownSecrets', () => {
  it('keeps as many as are looked for, the newest', () => {
    const known = new KnownSecrets();
    known.add('first');
    known.add('second');
    for (let index = 0; index < maxSecrets - 2; index += 1) known.add(`s${index}`);
    known.add('first');
    known.add('one more');
    expect(known.list()).toHaveLength(maxSecrets);
    expect(known.list()).toContain('first');
    expect(known.list()).not.toContain('second');
  });
});
