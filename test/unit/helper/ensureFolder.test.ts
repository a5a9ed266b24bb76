import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureFolder } from '../../../src/helper/ensureFolder.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

describe('ensureFolder', () => {
  it('makes what is missing, for this user alone, and leaves what is there', async () => {
    const base = await temporaryFolder();
    await ensureFolder(join(base, 'a/b/c'));
    await ensureFolder(join(base, 'a/b/c'));
    for (const folder of ['a', 'a/b', 'a/b/c']) expect((await stat(join(base, folder))).mode & 0o777).toBe(0o700);
  });

  it('several times at once makes it once', async () => {
    const base = await temporaryFolder();
    await Promise.all(Array.from({ length: 8 }, () => ensureFolder(join(base, 'x/y/z'))));
    expect((await stat(join(base, 'x/y/z'))).isDirectory()).toBe(true);
  });

  it('fails below a file, and where the system makes no folders', async () => {
    const base = await temporaryFolder();
    await writeFile(join(base, 'file'), '');
    await expect(ensureFolder(join(base, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(ensureFolder(join(base, 'file/below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(ensureFolder('/proc/nothing/here')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
