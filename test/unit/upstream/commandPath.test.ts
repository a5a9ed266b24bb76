import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCommand } from '../../../src/upstream/commandPath.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

async function program(folder: string, name: string, mode = 0o755): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  await writeFile(path, '#!/bin/sh\n');
  await chmod(path, mode);
  return path;
}

async function world(): Promise<{ cwd: string; tools: string; home: string }> {
  const root = await temporaryFolder();
  const [cwd, tools, home] = [join(root, 'home/project'), join(root, 'tools'), join(root, 'home')];
  for (const folder of [cwd, tools, home]) await mkdir(folder, { recursive: true });
  return { cwd, tools, home };
}

describe('findCommand', () => {
  it('takes the first program of that name on PATH, passing over folders and files that cannot be run', async () => {
    const { cwd, tools, home } = await world();
    const others = [join(home, 'a'), join(home, 'b')];
    await program(others[0]!, 'tool', 0o644);
    await mkdir(join(others[1]!, 'tool'), { recursive: true });
    const path = await program(tools, 'tool');
    const env = { PATH: ['/no/such/folder', ...others, tools, '/bin'].join(':') };
    expect(await findCommand({ command: 'tool', cwd, env, home })).toBe(path);
  });

  it('never takes a program from the folder the server runs in, and says so', async () => {
    const { cwd, tools, home } = await world();
    await program(cwd, 'npx');
    const inside = join(cwd, 'node_modules/.bin');
    await program(inside, 'npx');
    for (const entry of ['', '.', 'node_modules/.bin', inside, cwd, `${tools}/../home/project`]) {
      const env = { PATH: `${entry}:${tools}` };
      await expect(findCommand({ command: 'npx', cwd, env, home })).rejects.toMatchObject({
        code: 'UPSTREAM_START',
        message: expect.stringContaining(`searched ${tools}`) as string,
      });
    }
    const env = { PATH: `${inside}:${tools}` };
    await expect(findCommand({ command: 'npx', cwd, env, home })).rejects.toThrow(
      `not searched, because they belong to the workspace: ${inside}`,
    );
    const path = await program(tools, 'npx');
    expect(await findCommand({ command: 'npx', cwd, env, home })).toBe(path);
  });

  it('finds the user’s own tools when the server runs in the home folder', async () => {
    const { tools, home } = await world();
    const own = join(home, '.local/bin');
    const path = await program(own, 'tool');
    expect(await findCommand({ command: 'tool', cwd: home, env: { PATH: `${tools}:${own}` }, home })).toBe(path);
  });

  it('takes a path from the server’s folder, as it was declared', async () => {
    const { cwd, home } = await world();
    const path = await program(join(cwd, 'bin'), 'server');
    expect(await findCommand({ command: './bin/server', cwd, env: {}, home })).toBe(path);
    expect(await findCommand({ command: path, cwd: '/', env: {}, home })).toBe(path);
  });

  it('says when PATH is empty', async () => {
    await expect(findCommand({ command: 'tool', cwd: '/', env: {} })).rejects.toThrow(
      'the command tool was not found on PATH (PATH names no folder)',
    );
  });
});
