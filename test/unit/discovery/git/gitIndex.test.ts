import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { trackedIn } from '../../../../src/discovery/git/gitIndex.ts';
import { CommittedFiles } from '../../../../src/discovery/git/committedFiles.ts';
import { temporaryFolder } from '../../../support/temporaryFolder.ts';

const files = ['.vscode/mcp.json', '.vscode/mcp.json.bak', 'a/b/c.txt', 'a/b/c.txt2', 'ä ö/ü.json', 'z'];

const isCommitted = (file: string): Promise<boolean | undefined> => new CommittedFiles().has(file);

describe('what git keeps', () => {
  it.each([
    ['2', 'sha1'],
    ['4', 'sha1'],
    ['4', 'sha256'],
  ])('is read from an index of version %s with %s, as git itself lists it', async (version, hash) => {
    const folder = await temporaryFolder();
    git(folder, 'init', '-q', `--object-format=${hash}`);
    for (const file of [...files, 'not-added']) await put(folder, file);
    git(folder, 'add', '--', ...files);
    git(folder, 'add', '--intent-to-add', '--', 'not-added'); // Makes entries of version 3.
    git(folder, 'update-index', `--index-version=${version}`);
    const listed = git(folder, '-c', 'core.quotepath=off', 'ls-files').trim().split('\n');
    const index = await readFile(join(folder, '.git/index'));
    const wanted = new Set([...listed, 'other', 'a/b', 'a/b/c.tx']);
    expect(trackedIn(index, wanted, hash === 'sha1' ? 20 : 32)).toEqual(new Set(listed));
    expect(await isCommitted(join(folder, '.vscode/mcp.json'))).toBe(true);
    expect(await isCommitted(join(folder, '.vscode/other.json'))).toBe(false);
  });

  it('is not told where the entries stand in another file', async () => {
    const folder = await temporaryFolder();
    git(folder, 'init', '-q');
    await put(folder, 'mcp.json');
    git(folder, 'add', '--', 'mcp.json');
    git(folder, 'update-index', '--split-index');
    expect(await isCommitted(join(folder, 'mcp.json'))).toBeUndefined();
  });

  it('is found from a worktree, and nothing is told outside of a repository', async () => {
    const folder = await temporaryFolder();
    const main = join(folder, 'main');
    await put(main, 'mcp.json');
    git(main, 'init', '-q');
    git(main, 'add', '.');
    git(main, '-c', 'user.name=A', '-c', 'user.email=a@example.com', 'commit', '-q', '-m', 'first');
    git(main, 'worktree', 'add', '-q', join(folder, 'tree'));
    expect(await isCommitted(join(folder, 'tree/mcp.json'))).toBe(true);
    expect(await isCommitted(join(folder, 'elsewhere.json'))).toBeUndefined();
  });

  it('is not read from an index that makes each path out of a long one before it', () => {
    const entries = 20_000;
    const header = Buffer.alloc(12);
    header.write('DIRC', 'latin1');
    header.writeUInt32BE(4, 4);
    header.writeUInt32BE(entries, 8);
    const first = Buffer.concat([Buffer.alloc(63), Buffer.alloc(60_000, 'a'), Buffer.alloc(1)]);
    const index = Buffer.concat([header, first, Buffer.alloc((entries - 1) * 64)]);
    expect(trackedIn(index, new Set(['a']), 20)).toBeUndefined();
  });

  it('is not told of a repository whose files are pipes or never end, and nobody waits for them', async () => {
    const folder = await temporaryFolder();
    await put(folder, 'mcp.json');
    git(folder, 'init', '-q');
    git(folder, 'add', '.');
    await rename(join(folder, '.git/index'), join(folder, '.git/real'));
    execFileSync('mkfifo', [join(folder, '.git/index')]);
    expect(await isCommitted(join(folder, 'mcp.json'))).toBeUndefined();
    await rename(join(folder, '.git/real'), join(folder, '.git/index'));
    await rm(join(folder, '.git/config'));
    await symlink('/dev/zero', join(folder, '.git/config'));
    expect(await isCommitted(join(folder, 'mcp.json'))).toBe(true);
  });

  it('is asked of one index at a time, which is read once', async () => {
    const folder = await temporaryFolder();
    git(folder, 'init', '-q');
    for (const file of files) await put(folder, file);
    git(folder, 'add', '.');
    const committed = new CommittedFiles();
    const first = committed.has(join(folder, 'z'));
    expect(committed.has(join(folder, 'z'))).toBe(first);
    expect(await first).toBe(true);
    await rm(join(folder, '.git/index'));
    expect(await committed.has(join(folder, 'a/b/c.txt'))).toBe(true);
    expect(await committed.has(join(folder, 'a/b/c'))).toBe(false);
  });

  it('never throws, whatever the bytes, and gives only names that were asked for', () => {
    const header = Buffer.from('DIRC\0\0\0\u0004\0\0\0\u0002', 'latin1');
    const bytes = fc.uint8Array({ maxLength: 400 }).map((rest) => Buffer.concat([header, rest]));
    fc.assert(
      fc.property(
        fc.oneof(
          bytes,
          fc.uint8Array().map((all) => Buffer.from(all)),
        ),
        fc.constantFrom(20 as const, 32 as const),
        (index, hash) => {
          const found = trackedIn(index, new Set(['a']), hash);
          expect([...(found ?? [])].every((name) => name === 'a')).toBe(true);
        },
      ),
    );
  });

  it('never throws for an index that was cut off or changed', async () => {
    const folder = await temporaryFolder();
    git(folder, 'init', '-q');
    for (const file of files) await put(folder, file);
    git(folder, 'add', '.');
    const index = await readFile(join(folder, '.git/index'));
    fc.assert(
      fc.property(fc.nat(index.length), fc.nat(index.length - 1), fc.nat(255), (length, at, byte) => {
        const damaged = Buffer.from(index);
        damaged[at] = byte;
        trackedIn(damaged.subarray(0, length), new Set(files), 20);
      }),
    );
  });
});

function git(folder: string, ...words: string[]): string {
  return execFileSync('git', words, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

async function put(folder: string, file: string): Promise<void> {
  await mkdir(dirname(join(folder, file)), { recursive: true });
  await writeFile(join(folder, file), 'x');
}
