// A `node` to fall back to. PATH may name folders of the workspace, relative ones included: what a repository brings
// along is never run for being called node.
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, isAbsolute, join, relative } from 'node:path';

/** Absolute path, or `undefined` when PATH holds none outside `folders`. */
export function nodeOnPath(env: NodeJS.ProcessEnv, folders: readonly string[]): string | undefined {
  const program = process.platform === 'win32' ? 'node.exe' : 'node';
  const forbidden = folders.map((folder) => realPath(folder) ?? folder);
  for (const dir of (env['PATH'] ?? '').split(delimiter)) {
    if (!isAbsolute(dir)) continue;
    const found = realPath(join(dir, program));
    if (found && isExecutable(found) && !forbidden.some((folder) => isInside(found, folder))) return found;
  }
  return undefined;
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return !isAbsolute(way) && way !== '..' && !way.startsWith(`..${process.platform === 'win32' ? '\\' : '/'}`);
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined; // It is not there, which is an answer.
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
