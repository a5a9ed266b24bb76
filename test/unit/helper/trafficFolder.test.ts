import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openTrafficFolder } from '../../../src/helper/trafficFolder.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

it('deletes what helpers left that are gone, and nothing of one that runs', async () => {
  const folder = await temporaryFolder();
  for (const name of ['killed', 'running']) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, '1.seg'), 'what an agent said');
  }
  const segments = await openTrafficFolder(folder, 'own', async (id) => id === 'running');
  expect(await readdir(folder)).toEqual(['running']);
  await segments.append([Buffer.from('x')]);
  expect((await readdir(folder)).toSorted()).toEqual(['own', 'running']);
  await segments.close();
  expect(await readdir(folder)).toEqual(['running']);
});

it('begins where there is no folder yet', async () => {
  const segments = await openTrafficFolder(join(await temporaryFolder(), 'none'), 'own', async () => false);
  expect(segments.files).toBe(0);
  await segments.close();
});
