import { access, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Segments } from '../../../src/traffic/segments.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

async function world(
  bounds: { maxBytes?: number; max?: number } = {},
): Promise<{ segments: Segments; folder: string }> {
  const folder = join(await temporaryFolder(), 'own');
  const segments = new Segments(folder, bounds);
  onTestFinished(() => segments.close());
  return { segments, folder };
}
const some = (...texts: string[]): Buffer[] => texts.map((text) => Buffer.from(text));
const text = async (bytes: Promise<Buffer | undefined>): Promise<string | undefined> => (await bytes)?.toString();

it('touches no disk until there is something to keep', async () => {
  const { segments, folder } = await world();
  await expect(access(folder)).rejects.toThrow();
  await segments.append(some('a'));
  expect(await readdir(folder)).toEqual(['1.seg']);
});

it('gives back each record, in files for the user alone', async () => {
  const { segments, folder } = await world();
  const places = await segments.append(some('one', '', 'three'));
  const [more] = await segments.append(some('four'));
  expect(await Promise.all([...places, more!].map((place) => text(segments.read(place))))).toEqual([
    'one',
    '',
    'three',
    'four',
  ]);
  expect(segments).toMatchObject({ files: 1, bytes: 12 });
  if (process.platform === 'win32') return;
  const modes = await Promise.all([folder, join(folder, '1.seg')].map(async (path) => (await stat(path)).mode & 0o777));
  expect(modes).toEqual([0o700, 0o600]);
});

it('gives back what was written after it was read ahead', async () => {
  const { segments } = await world();
  const [first] = await segments.append(some('first'));
  expect(await text(segments.read(first!))).toBe('first');
  const [second] = await segments.append(some('second'));
  expect(await text(segments.read(second!))).toBe('second');
});

it('holds no more files than it may, and forgets the oldest', async () => {
  const { segments, folder } = await world({ maxBytes: 10, max: 3 });
  const places = [];
  for (let index = 0; index < 6; index += 1) places.push(...(await segments.append(some('x'.repeat(10)))));
  expect(segments.files).toBe(3);
  const kept = await Promise.all(places.map(async (place) => (await segments.read(place)) !== undefined));
  expect(kept).toEqual([false, false, false, true, true, true]);
  await segments.append(some('y')); // After the deletions.
  await expect.poll(() => readdir(folder)).toHaveLength(3);
});

it('deletes a file of which nothing is held any more, and goes on in a new one', async () => {
  const { segments, folder } = await world();
  const places = await segments.append(some('a', 'b'));
  segments.release(places[0]!);
  expect(await text(segments.read(places[1]!))).toBe('b');
  segments.release(places[1]!);
  expect(await segments.read(places[1]!)).toBeUndefined();
  const [next] = await segments.append(some('c'));
  expect(await text(segments.read(next!))).toBe('c');
  expect(await readdir(folder)).toEqual(['2.seg']);
});

it('says that a record could not be written, and writes the next one when it can', async () => {
  const folder = join(await temporaryFolder(), 'blocked');
  await writeFile(folder, 'a file stands where the folder should be');
  const segments = new Segments(join(folder, 'own'));
  await expect(segments.append(some('a'))).rejects.toThrow();
  const { rm } = await import('node:fs/promises');
  await rm(folder);
  await mkdir(folder);
  const [place] = await segments.append(some('b'));
  expect(await text(segments.read(place!))).toBe('b');
  await segments.close();
});

it('leaves nothing at the close, and takes nothing after it', async () => {
  const { segments, folder } = await world();
  await segments.append(some('a'));
  await segments.close();
  await expect(access(folder)).rejects.toThrow();
  await expect(segments.append(some('b'))).rejects.toThrow();
  await segments.close();
});
