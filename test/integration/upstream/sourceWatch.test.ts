// Files of a server being rebuilt: which changes count, and that many of them count once. Only the waiting is faked.
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SourceWatch, watchTimes } from '../../../src/upstream/sourceWatch.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';
import { until } from '../../support/until.ts';

type Watched = {
  folder: string;
  changes: string[];
  incomplete: string[];
  clock: FakeClock;
  write: (path: string) => Promise<void>;
  noticed: () => Promise<void>;
};

async function watched(paths: string[], folders: string[] = ['dist/deep', 'src', 'node_modules/x']): Promise<Watched> {
  const folder = await temporaryFolder();
  for (const path of folders) await mkdir(join(folder, path), { recursive: true });
  await writeFile(join(folder, 'server.mjs'), '1');
  const clock = new FakeClock();
  const changes: string[] = [];
  const incomplete: string[] = [];
  const watch = new SourceWatch({
    paths,
    cwd: folder,
    clock,
    onChange: (file) => changes.push(file.slice(folder.length + 1)),
    onIncomplete: (why) => incomplete.push(why),
  });
  onTestFinished(() => watch.close());
  await watch.start();
  return {
    folder,
    changes,
    incomplete,
    clock,
    write: (path) => writeFile(join(folder, path), String(Math.random())),
    noticed: async () => {
      await until(() => clock.pending > 0);
      clock.advance(watchTimes.quietMs);
    },
  };
}

describe('a change', () => {
  it.each([
    ['a folder', 'dist', 'dist/deep/a.js'],
    ['a file', 'server.mjs', 'server.mjs'],
    ['a pattern', 'dist/**/*.js', 'dist/deep/a.js'],
    ['a pattern, at its top', 'dist/**/*.js', 'dist/a.js'],
    ['a pattern of one level', 'src/*.t?', 'src/a.ts'],
  ])('in %s is noticed', async (_what, path, file) => {
    const { changes, write, noticed } = await watched([path]);
    await write(file);
    await noticed();
    expect(changes).toEqual([file]);
  });

  it.each([
    ['beside a file', 'server.mjs', 'other.mjs'],
    ['that a pattern does not name', 'dist/*.js', 'dist/deep/a.js'],
    ['in a folder of packages', '.', 'node_modules/x/a.js'],
  ])('%s is not', async (_what, path, file) => {
    const { changes, write, noticed, folder } = await watched([path, 'src']);
    await write(file);
    await writeFile(join(folder, 'src', 'end'), '');
    await noticed();
    expect(changes).toEqual(['src/end']);
  });

  it('of many files at once counts once, when it is quiet; and one that never ends counts after a while', async () => {
    const { changes, clock, write } = await watched(['dist']);
    for (let file = 0; file < 20; file += 1) await write(`dist/${file}.js`);
    await until(() => clock.pending > 0);
    clock.advance(watchTimes.quietMs - 1);
    expect(changes).toEqual([]);
    clock.advance(watchTimes.longestMs);
    expect(changes).toHaveLength(1);
  });

  it('by another file in its place, as editors and compilers write, is noticed again and again', async () => {
    const { changes, folder, write, noticed } = await watched(['server.mjs']);
    for (let round = 1; round <= 3; round += 1) {
      await write('server.mjs.tmp');
      await rename(join(folder, 'server.mjs.tmp'), join(folder, 'server.mjs'));
      await noticed();
      expect(changes).toHaveLength(round);
    }
  });

  it('in a folder that is removed and made anew as a whole is noticed', async () => {
    const { changes, folder, write, clock } = await watched(['dist']);
    await rm(join(folder, 'dist'), { recursive: true });
    await mkdir(join(folder, 'dist'));
    await write('dist/a.js');
    await until(() => {
      clock.advance(watchTimes.quietMs);
      return changes.includes('dist/a.js');
    });
  });

  it.each(['later', 'later/**/*.js'])('at %s, which was not there before, is noticed when it comes', async (path) => {
    const { changes, folder, write, noticed, incomplete } = await watched([path]);
    expect(incomplete).toEqual([`there is nothing at ${path} yet`]);
    await mkdir(join(folder, 'later'));
    await write('later/a.js');
    await noticed();
    expect(changes).toHaveLength(1);
  });

  it('in a folder that was removed and made anew is noticed', async () => {
    const { changes, folder, write, noticed } = await watched(['dist/**/*.js']);
    await rm(join(folder, 'dist/deep'), { recursive: true });
    await mkdir(join(folder, 'dist/deep'));
    await write('dist/deep/a.js');
    await noticed();
    expect(changes).toEqual(['dist/deep/a.js']);
  });
});
