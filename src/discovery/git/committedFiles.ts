// Whether git keeps a file: read from the index of the repository around it. Git itself is not run: a repository can
// name programs that it runs. The repository is a stranger's: nothing in it is waited for, or read without a bound.
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { trackedIn } from './gitIndex.ts';

/** A larger index (about half a million files) is not read; then nothing is said. */
export const maxIndexBytes = 64 * 1024 * 1024;

/** Of a repository's own settings. */
const maxSettingsBytes = 1024 * 1024;

/** Folders above a file in which a repository is looked for. */
const maxAncestors = 40;

type Repository = { root: string; folder: string };

/** For one look at a workspace: each file is looked for once, and one index is held at a time. */
export class CommittedFiles {
  readonly #answers = new Map<string, Promise<boolean | undefined>>();
  #turn: Promise<unknown> = Promise.resolve();
  #last: { folder: string; index: Buffer | undefined } | undefined;

  /** `undefined` where there is no repository, or none that can be read. */
  has(file: string): Promise<boolean | undefined> {
    const known = this.#answers.get(file);
    if (known) return known;
    const answer = this.#turn.then(() => this.#look(file));
    this.#turn = answer;
    this.#answers.set(file, answer);
    return answer;
  }

  async #look(file: string): Promise<boolean | undefined> {
    const repository = await repositoryAround(file);
    if (!repository) return undefined;
    const { root, folder } = repository;
    if (this.#last?.folder !== folder) {
      this.#last = undefined;
      this.#last = { folder, index: await readBounded(join(folder, 'index'), maxIndexBytes) };
    }
    const { index } = this.#last;
    if (!index) return undefined;
    const path = relative(root, file).split(sep).join('/');
    return trackedIn(index, new Set([path]), await hashBytes(folder))?.has(path);
  }
}

async function repositoryAround(file: string): Promise<Repository | undefined> {
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
async function linked(root: string): Promise<Repository | undefined> {
  const text = (await readBounded(join(root, '.git'), 4096))?.toString('utf8') ?? '';
  const named = /^gitdir: ([^\r\n]+)/.exec(text)?.[1];
  if (named === undefined) return undefined;
  return { root, folder: isAbsolute(named) ? named : resolve(root, named) };
}

async function hashBytes(folder: string): Promise<20 | 32> {
  const config = (await readBounded(join(folder, 'config'), maxSettingsBytes))?.toString('utf8') ?? '';
  return /^\s*objectformat\s*=\s*sha256\s*$/im.test(config) ? 32 : 20;
}

async function readBounded(path: string, max: number): Promise<Buffer | undefined> {
  // Without O_NONBLOCK, opening a named pipe waits for its writer for ever.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(() => undefined);
  try {
    const size = await handle?.stat();
    return size?.isFile() && size.size <= max ? await handle?.readFile() : undefined;
  } catch {
    return undefined; // It is being rewritten, or is not ours to read: then nothing is said.
  } finally {
    await handle?.close();
  }
}
