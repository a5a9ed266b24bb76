// Whether git keeps a file: read from the index of the repository around it. Git itself is not run: a repository can
// name programs that it runs.
import { open, readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { trackedIn } from './gitIndex.ts';

/** A larger index (about half a million files) is not read; then nothing is said. */
export const maxIndexBytes = 64 * 1024 * 1024;

/** Folders above a file in which a repository is looked for. */
const maxAncestors = 40;

/** `undefined` where there is no repository, or none that can be read. */
export async function isCommitted(file: string): Promise<boolean | undefined> {
  const repository = await repositoryAround(file);
  if (!repository) return undefined;
  const path = relative(repository.root, file).split(sep).join('/');
  const index = await readBounded(join(repository.folder, 'index'));
  if (!index) return undefined;
  return trackedIn(index, new Set([path]), await hashBytes(repository.folder))?.has(path);
}

async function repositoryAround(file: string): Promise<{ root: string; folder: string } | undefined> {
  let root = dirname(file);
  for (let up = 0; up < maxAncestors; up += 1) {
    const found = await stat(join(root, '.git')).catch(() => undefined);
    if (found?.isDirectory()) return { root, folder: join(root, '.git') };
    if (found?.isFile()) return linked(root);
    if (dirname(root) === root) return undefined;
    root = dirname(root);
  }
  return undefined;
}

/** A worktree or submodule: `.git` is a file that names the folder (gitrepository-layout(5)). */
async function linked(root: string): Promise<{ root: string; folder: string } | undefined> {
  const text = (await readBounded(join(root, '.git'), 4096))?.toString('utf8') ?? '';
  const named = /^gitdir: ([^\r\n]+)/.exec(text)?.[1];
  if (named === undefined) return undefined;
  return { root, folder: isAbsolute(named) ? named : resolve(root, named) };
}

async function hashBytes(folder: string): Promise<20 | 32> {
  const config = await readFile(join(folder, 'config'), 'utf8').catch(() => '');
  return /^\s*objectformat\s*=\s*sha256\s*$/im.test(config) ? 32 : 20;
}

async function readBounded(path: string, max = maxIndexBytes): Promise<Buffer | undefined> {
  const handle = await open(path, 'r').catch(() => undefined);
  try {
    const size = await handle?.stat();
    return size?.isFile() && size.size <= max ? await handle?.readFile() : undefined;
  } catch {
    return undefined; // It is being rewritten, or is not ours to read: then nothing is said.
  } finally {
    await handle?.close();
  }
}
