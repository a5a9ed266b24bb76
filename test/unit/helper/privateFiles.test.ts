import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { maxPrivateFileBytes, PrivateFileStore } from '../../../src/helper/privateFiles.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

const files = new PrivateFileStore();
const hasModes = process.platform !== 'win32';

describe('PrivateFileStore', () => {
  it('reads back what it wrote, and nothing where nothing is', async () => {
    const path = join(await temporaryFolder(), 'a', 'b', 'grants.json');
    expect(await files.read(path)).toBeUndefined();
    await files.write(path, 'text ✓');
    expect(await files.read(path)).toBe('text ✓');
    expect(await readdir(join(path, '..'))).toEqual(['grants.json']);
  });

  it.runIf(hasModes)('keeps others out: folders 0700, files 0600, also when it replaces a laxer one', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'a', 'b', 'key.pem');
    await files.write(path, 'one');
    await chmod(path, 0o644);
    await files.write(path, 'two');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'a'))).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, 'a', 'b'))).mode & 0o777).toBe(0o700);
  });

  it('loses no change of many at once', async () => {
    const path = join(await temporaryFolder(), 'count');
    const increment = (): Promise<string> => files.update(path, (old) => String(Number(old ?? 0) + 1));
    await Promise.all(Array.from({ length: 15 }, increment));
    expect(await files.read(path)).toBe('15');
  });

  it('leaves the file as it was when the change fails, and lets the next one in', async () => {
    const path = join(await temporaryFolder(), 'count');
    await files.write(path, 'old');
    const failing = files.update(path, () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect(await files.update(path, (old) => `${old}er`)).toBe('older');
  });

  it('does not touch the disk when nothing changes', async () => {
    const path = join(await temporaryFolder(), 'same');
    await files.write(path, 'text');
    const before = await stat(path);
    await files.write(path, 'text');
    expect((await stat(path)).ino).toBe(before.ino);
  });

  it('shows a reader the old text or the new one, never less', async () => {
    const path = join(await temporaryFolder(), 'whole');
    const texts = ['a'.repeat(200_000), 'b'.repeat(100_000)];
    await files.write(path, texts[0] ?? '');
    const done = new AbortController();
    const reader = (async () => {
      while (!done.signal.aborted) expect(texts.includes((await files.read(path)) ?? '')).toBe(true);
    })();
    for (let turn = 1; turn <= 20; turn++) await files.write(path, texts[turn % 2] ?? '');
    done.abort();
    await reader;
  });

  it('goes on over what a killed process left half written', async () => {
    const path = join(await temporaryFolder(), 'state');
    await writeFile(`${path}.tmp`, 'half');
    await files.write(path, 'whole');
    expect(await files.read(path)).toBe('whole');
    expect(await readdir(join(path, '..'))).toEqual(['state']);
  });

  it('says which file is in the way of a folder', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'file'), '');
    const refusal = { code: 'STATE_UNWRITABLE', message: expect.stringContaining('a file is in its way') as string };
    await expect(files.write(join(folder, 'file', 'key.pem'), '')).rejects.toMatchObject(refusal);
    await expect(files.write(join(folder, 'file', 'deep', 'key.pem'), '')).rejects.toMatchObject(refusal);
    await expect(files.read(join(folder, 'file', 'key.pem'))).rejects.toMatchObject(refusal);
  });

  it('says that a folder stands where the file should be, and leaves nothing beside it', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'key.pem');
    await mkdir(path);
    await expect(files.read(path)).rejects.toThrow('is a folder, where a file is needed');
    await expect(files.write(path, 'x')).rejects.toThrow('is a folder, where a file is needed');
    expect(await readdir(folder)).toEqual(['key.pem']);
  });

  it('refuses a file that is too large to be one of ours, without reading it', async () => {
    const path = join(await temporaryFolder(), 'huge');
    await writeFile(path, '');
    await truncate(path, maxPrivateFileBytes + 1);
    await expect(files.read(path)).rejects.toMatchObject({ code: 'STATE_UNWRITABLE', data: { path } });
    await truncate(path, 4);
    expect(await files.read(path)).toBe('\0\0\0\0');
    expect((await readFile(path)).length).toBe(4);
  });
});

describe.runIf(hasModes)('a path that is no regular file', () => {
  it('is refused without being waited for or read', async () => {
    const folder = await temporaryFolder();
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const path of [pipe, '/dev/zero']) {
      await expect(files.read(path)).rejects.toMatchObject({ code: 'STATE_UNWRITABLE', data: { path } });
    }
  });
});
