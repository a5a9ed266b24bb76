// The folders of a workspace in which a project may stand, nearest first. Never follows a link, never enters what
// package managers and compilers write, and stops at its bounds whatever the tree looks like.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Folders looked into in one workspace folder; projects further on are not found. */
export const maxFoldersWalked = 5_000;

/** How deep below the workspace folder. */
export const maxDepth = 8;

/** Folders read at the same time. */
const parallel = 16;

const EXCLUDED: ReadonlySet<string> = new Set([
  'node_modules',
  'bower_components',
  'vendor',
  'dist',
  'build',
  'out',
  'target',
  'bin',
  'obj',
  'coverage',
  'venv',
  'env',
  'site-packages',
  '__pycache__',
  'fixtures',
  'testdata',
]);

export type WalkedFolder = { folder: string; files: ReadonlySet<string>; folders: readonly string[] };

/** Calls back for each folder with the names in it; resolves when there are no more, or when `signal` is aborted. */
export async function walk(
  root: string,
  onFolder: (folder: WalkedFolder) => Promise<void> | void,
  signal?: AbortSignal,
): Promise<void> {
  let level = [root];
  let left = maxFoldersWalked;
  for (let depth = 0; depth <= maxDepth && level.length > 0 && left > 0; depth += 1) {
    const next: string[] = [];
    for (let at = 0; at < level.length && left > 0; at += parallel) {
      if (signal?.aborted) return;
      const some = level.slice(at, at + Math.min(parallel, left));
      left -= some.length;
      for (const walked of await Promise.all(some.map(look))) {
        if (!walked) continue;
        next.push(...walked.folders.map((name) => join(walked.folder, name)));
        await onFolder(walked);
      }
    }
    level = next;
  }
}

async function look(folder: string): Promise<WalkedFolder | undefined> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return {
      folder,
      files: new Set(entries.flatMap((entry) => (entry.isFile() ? [entry.name] : []))),
      folders: entries.flatMap((entry) =>
        entry.isDirectory() && !entry.name.startsWith('.') && !EXCLUDED.has(entry.name) ? [entry.name] : [],
      ),
    };
  } catch {
    return undefined; // Gone, or not ours to read: then nothing in it is ours to expose.
  }
}
