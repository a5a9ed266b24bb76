import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { maxSecretBytes } from '../../../src/cli/secretText.ts';
import { World } from './world.ts';

// Through `enroll`, which reads the token before it does anything else.
let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => world.close());

const enroll = (file: string, stdin?: string) =>
  world.run(['enroll', 'edge.example.com', '--token-file', file], stdin === undefined ? {} : { stdin });

describe('a token from a file or standard input', () => {
  it.each([
    ['-', '', 'standard input holds no token'],
    ['-', ' \n\n', 'standard input holds no token'],
    ['-', 'x'.repeat(maxSecretBytes + 1), 'standard input is too large'],
    ['none.txt', undefined, 'none.txt cannot be read (ENOENT)'],
    ['folder', undefined, 'folder cannot be read (EISDIR)'],
    ['empty.txt', undefined, 'empty.txt holds no token'],
  ])('from %s is refused when there is none', async (file, stdin, sentence) => {
    await mkdir(join(world.folder, 'folder'));
    await writeFile(join(world.folder, 'empty.txt'), '\n');
    expect(await enroll(file, stdin)).toMatchObject({ code: 2, err: expect.stringContaining(sentence) });
  });
});
