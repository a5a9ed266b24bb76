import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findExecutable } from '../../../src/discovery/executable.ts';
import { launchPlan } from '../../../src/discovery/launchPlan.ts';
import type { ServerTransport } from '../../../src/core/server.ts';

let root: string;
let workspace: string;
let bin: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'mcpt-'));
  workspace = join(root, 'workspace');
  bin = join(root, 'bin');
  await Promise.all([mkdir(workspace), mkdir(bin)]);
});
afterEach(() => rm(root, { recursive: true }));

async function program(folder: string, name: string, mode = 0o755): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  await writeFile(path, '#!/bin/sh\n');
  await chmod(path, mode);
  return path;
}

const stdio = (changes: object = {}): ServerTransport => ({
  kind: 'stdio',
  command: 'tool',
  args: ['a', 'b'],
  env: { KEY: 'secret', GONE: null },
  cwd: workspace,
  ...changes,
});
const plan = (transport: ServerTransport, path = bin, name = 's') =>
  launchPlan(name, transport, { PATH: path }, [workspace]);

describe('launchPlan', () => {
  it('shows what will run, without a single value of its environment', async () => {
    const tool = await program(bin, 'tool');
    const shown = await plan(stdio());
    expect(shown).toEqual({
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      server: 's',
      command: tool,
      args: ['a', 'b'],
      envNames: ['GONE', 'KEY'],
      cwd: workspace,
    });
    expect(JSON.stringify(shown)).not.toContain('secret');
  });

  it('shows the values of variables by which code is loaded, in any spelling, and of no others', async () => {
    const env = {
      NODE_OPTIONS: '--import=data:text/javascript,//%0aevil()@',
      LD_PRELOAD: './evil.so',
      DYLD_INSERT_LIBRARIES: './evil.dylib',
      Path: '/evil',
      npm_config_registry: 'https://me:secret@evil.example/',
      PYTHONPATH: null,
      API_KEY: 'secret',
    };
    const shown = await plan(stdio({ command: await program(bin, 'tool'), env }));
    expect(shown.loads).toEqual({
      NODE_OPTIONS: '--import=data:text/javascript,//%0aevil()@',
      LD_PRELOAD: './evil.so',
      DYLD_INSERT_LIBRARIES: './evil.dylib',
      Path: '/evil',
      npm_config_registry: 'https://…@evil.example/',
    });
    expect(JSON.stringify(shown)).not.toContain('secret');
  });

  it('shows a URL with the names of its headers only', async () => {
    const shown = await plan({ kind: 'http', url: 'http://h/mcp', headers: { Authorization: 'Bearer secret' } });
    expect(shown).toMatchObject({ url: 'http://h/mcp', headerNames: ['authorization'] });
    expect(JSON.stringify(shown)).not.toContain('secret');
  });

  it('has another hash for every change that matters', async () => {
    await Promise.all([program(bin, 'tool'), program(bin, 'other')]);
    const variants = [
      stdio(),
      stdio({ command: 'other' }),
      stdio({ args: ['b', 'a'] }),
      stdio({ args: ['a b'] }),
      stdio({ args: [] }),
      stdio({ env: { KEY: 'other', GONE: null } }),
      stdio({ env: { KEY: 'secret', GONE: '' } }),
      stdio({ env: { KEY: 'secret' } }),
      stdio({ cwd: root }),
      { kind: 'http', url: 'http://h/mcp', headers: {} },
      { kind: 'http', url: 'http://h/mcp2', headers: {} },
      { kind: 'http', url: 'http://h/mcp', headers: { A: '1' } },
      { kind: 'http', url: 'http://h/mcp', headers: { A: '2' } },
    ] as ServerTransport[];
    const hashes = await Promise.all(variants.map(async (transport) => (await plan(transport)).hash));
    hashes.push((await plan(stdio(), bin, 'another name')).hash);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('has the same hash whatever the order of names in the file', async () => {
    await program(bin, 'tool');
    const one = await plan(stdio({ env: { A: '1', B: '2' } }));
    expect((await plan(stdio({ env: { B: '2', A: '1' } }))).hash).toBe(one.hash);
  });

  it('changes when another file is found under the same name', async () => {
    await program(bin, 'tool');
    const before = await plan(stdio());
    const other = join(root, 'other');
    await program(other, 'tool');
    const after = await plan(stdio(), [other, bin].join(delimiter));
    expect(after.hash).not.toBe(before.hash);
    expect(after.command).toBe(join(other, 'tool'));
  });

  it('is refused for a command that is not found, and says where nobody looked', async () => {
    const hidden = join(workspace, 'node_modules/.bin');
    await program(hidden, 'tool');
    const path = [bin, hidden, 'relative'].join(delimiter);
    await expect(plan(stdio({ cwd: join(workspace, 'sub') }), path)).rejects.toMatchObject({
      code: 'UPSTREAM_START',
      message:
        `the command tool was not found on PATH (searched ${bin}; ` +
        `not searched, because relative or of the workspace: ${hidden}, relative)`,
    });
    await expect(plan(stdio(), '')).rejects.toThrow('(PATH names no folder)');
    await expect(plan(stdio({ command: './gone' }))).rejects.toThrow(
      `${join(workspace, 'gone')} does not exist or is not executable`,
    );
  });
});

describe('findExecutable', () => {
  const notFound = { code: 'UPSTREAM_START' };
  const search = (command: string, path: string, more: object = {}) =>
    findExecutable(command, { env: { PATH: path }, ownEnv: {}, cwd: workspace, folders: [workspace], ...more });

  it('never searches the workspace, not by a relative entry, an empty one, or a link', async () => {
    await program(workspace, 'tool');
    await program(join(workspace, 'node_modules/.bin'), 'tool');
    const link = join(root, 'link');
    await symlink(join(workspace, 'node_modules/.bin'), link);
    const path = [workspace, join(workspace, 'node_modules/.bin'), link, '.', '', 'node_modules/.bin'].join(delimiter);
    await expect(search('tool', path)).rejects.toMatchObject(notFound);
    expect(await search('tool', path, { folders: [] })).toBe(join(workspace, 'tool'));
    const real = await program(bin, 'tool');
    expect(await search('tool', [path, bin].join(delimiter))).toBe(real);
  });

  it('searches no relative entry, wherever it leads from the folder of this process', async () => {
    await program(bin, 'tool');
    await expect(search('tool', relative(process.cwd(), bin))).rejects.toMatchObject(notFound);
  });

  it('searches the tools of a user who opened the home folder', async () => {
    const tool = await program(join(root, '.local/bin'), 'tool');
    for (const folders of [[root], ['/'], [root, workspace]]) {
      expect(await search('tool', join(root, '.local/bin'), { folders, home: root })).toBe(tool);
    }
    expect(await search('tool', join(root, '.local/bin'), { folders: [root], home: workspace })).toBe(tool);
    await expect(
      search('tool', join(root, '.local/bin'), { folders: [root], home: '/elsewhere' }),
    ).rejects.toMatchObject(notFound);
  });

  it('takes a path as it is written, from the folder the server runs in', async () => {
    const tool = await program(workspace, 'tool');
    expect(await search('./tool', bin)).toBe(tool);
    expect(await search(tool, bin)).toBe(tool);
  });

  it.skipIf(process.platform === 'win32')('passes over folders and files that cannot be run', async () => {
    await mkdir(join(bin, 'folder'));
    await program(bin, 'data', 0o644);
    await expect(search('folder', bin)).rejects.toMatchObject(notFound);
    await expect(search('data', bin)).rejects.toMatchObject(notFound);
  });

  it('lets the definition set or unset PATH', async () => {
    await program(bin, 'tool');
    expect(await search('tool', '/nowhere', { ownEnv: { PATH: bin } })).toBe(join(bin, 'tool'));
    await expect(search('tool', bin, { ownEnv: { PATH: null } })).rejects.toMatchObject(notFound);
  });

  it('tries the endings of Windows, whatever the spelling of the variable', async () => {
    const tool = await program(bin, 'npx.cmd');
    const windows = { platform: 'win32', env: { Path: bin, PathExt: '.EXE;.CMD' } };
    expect(await search('npx', '', windows)).toBe(tool);
    expect(await search('npx.cmd', '', windows)).toBe(tool);
    await expect(search('npx.exe', '', windows)).rejects.toMatchObject(notFound);
  });
});
