import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeText, maxConfigBytes, readTextFile } from '../../../src/discovery/textFile.ts';

let folder: string;
const at = (name: string) => join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcpt-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('readTextFile', () => {
  it('reads text, with or without the mark of UTF-8', async () => {
    await writeFile(at('plain'), 'hällo');
    await writeFile(at('marked'), '\uFEFFhällo');
    expect(await readTextFile(at('plain'))).toEqual({ kind: 'text', text: 'hällo' });
    expect(await readTextFile(at('marked'))).toEqual({ kind: 'text', text: 'hällo' });
  });

  it('knows what is not there, also below a file', async () => {
    await writeFile(at('file'), '');
    expect(await readTextFile(at('none'))).toEqual({ kind: 'absent' });
    expect(await readTextFile(at('file/none'))).toEqual({ kind: 'absent' });
  });

  it('reads a file of exactly the bound and refuses a larger one', async () => {
    await writeFile(at('largest'), 'x'.repeat(maxConfigBytes));
    await writeFile(at('larger'), 'x'.repeat(maxConfigBytes + 1));
    expect(await readTextFile(at('largest'))).toMatchObject({ kind: 'text' });
    expect(await readTextFile(at('larger'))).toEqual({ kind: 'problem', message: 'is larger than 1 MiB' });
  });

  it('says what stands in the place of a file', async () => {
    await mkdir(at('folder'));
    await symlink(at('loop'), at('loop'));
    expect(await readTextFile(at('folder'))).toEqual({ kind: 'problem', message: 'is a folder, not a file' });
    expect(await readTextFile(at('loop'))).toMatchObject({ message: 'is a symbolic link that leads back to itself' });
  });

  it.skipIf(process.platform === 'win32')('does not wait at a named pipe', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    expect(await readTextFile(at('pipe'))).toEqual({ kind: 'problem', message: 'is not a regular file' });
    expect(await readTextFile('/dev/zero')).toEqual({ kind: 'problem', message: 'is not a regular file' });
  });

  it('says that it may not read, to everybody but root, who may', async () => {
    await writeFile(at('secret'), 'x');
    await chmod(at('secret'), 0);
    const mayReadAll = process.getuid?.() === 0 || process.platform === 'win32';
    const expected = mayReadAll
      ? { kind: 'text', text: 'x' }
      : { kind: 'problem', message: 'cannot be read: this user has no permission' };
    expect(await readTextFile(at('secret'))).toEqual(expected);
  });

  it.each([
    [[0xff, 0xfe, 0x7b, 0x00], 'is stored as UTF-16; save it as UTF-8'],
    [[0x7f, 0x45, 0x4c, 0x46, 0x00], 'is a binary file, not text'],
    [[0x7b, 0xc3, 0x28], 'is not valid UTF-8 text'],
  ])('names bytes that are no text: %j', (bytes, message) => {
    expect(decodeText(Uint8Array.from(bytes))).toEqual({ kind: 'problem', message });
  });

  it('throws on no bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(['text', 'problem']).toContain(decodeText(bytes).kind);
      }),
    );
  });
});
