// Which file a server's command is: found once, shown to the person who agrees, part of what they agree to, and the
// one that is started. Folders of the workspace and relative entries of PATH are never searched, so that a file a
// repository brings along cannot pose as `node`.
import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, extname, isAbsolute, join, resolve } from 'node:path';
import { TunnelError } from '../core/errors.ts';
import { isInside } from './isInside.ts';

export type ExecutableSearch = {
  /** What the server inherits. */
  env: Record<string, string | undefined>;
  /** What its definition adds; `null` unsets. */
  ownEnv: Record<string, string | null>;
  cwd: string;
  /** Workspace folders, never searched by name. */
  folders: readonly string[];
  platform?: NodeJS.Platform;
  home?: string;
};

/** Entries of PATH that are looked into. */
export const maxPathEntries = 200;

/** The absolute path. Throws `UPSTREAM_START` saying where it was looked for. */
export async function findExecutable(command: string, search: ExecutableSearch): Promise<string> {
  const platform = search.platform ?? process.platform;
  const endings = platform === 'win32' ? windowsEndings(command, search) : [''];
  const isPath = command.includes('/') || (platform === 'win32' && /[\\:]/.test(command));
  if (isPath) {
    const path = resolve(search.cwd, command);
    const found = await firstExecutable(path, endings);
    if (found) return found;
    throw notFound(`${path} does not exist or is not executable`);
  }

  const { searched, skipped } = await foldersOf(search);
  for (const folder of searched) {
    const found = await firstExecutable(join(folder, command), endings);
    if (found) return found;
  }
  const where = searched.length === 0 ? 'PATH names no folder' : `searched ${searched.join(', ')}`;
  const but = skipped.length === 0 ? '' : `; not searched, because relative or of the workspace: ${skipped.join(', ')}`;
  throw notFound(`the command ${command} was not found on PATH (${where}${but})`);
}

async function foldersOf(search: ExecutableSearch): Promise<{ searched: string[]; skipped: string[] }> {
  const real = (folder: string): Promise<string> => realpath(folder).catch(() => folder);
  const home = await real(search.home ?? homedir());
  // The home folder, or one above it, has every tool of the user inside: opened as a workspace, it still is none.
  const folders = (await Promise.all(search.folders.map(real))).filter((folder) => !isInside(home, folder));
  const searched: string[] = [];
  const skipped: string[] = [];
  for (const entry of (variable('PATH', search) ?? '').split(delimiter).slice(0, maxPathEntries)) {
    if (entry === '') continue;
    const target = isAbsolute(entry) ? await real(entry) : undefined;
    const isForeign = target !== undefined && !folders.some((folder) => isInside(target, folder));
    (isForeign ? searched : skipped).push(entry);
  }
  return { searched, skipped };
}

function notFound(message: string): TunnelError {
  return new TunnelError('UPSTREAM_START', message);
}

async function firstExecutable(path: string, endings: readonly string[]): Promise<string | undefined> {
  for (const ending of endings) {
    const candidate = path + ending;
    try {
      if (!(await stat(candidate)).isFile()) continue;
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not there, or not ours to run: the next one may be.
    }
  }
  return undefined;
}

function windowsEndings(command: string, search: ExecutableSearch): string[] {
  const endings = (variable('PATHEXT', search) ?? '.COM;.EXE;.BAT;.CMD').split(';').filter((ending) => ending !== '');
  const hasEnding = endings.some((ending) => ending.toLowerCase() === extname(command).toLowerCase());
  return hasEnding ? [''] : endings.map((ending) => ending.toLowerCase());
}

/** Windows spells the same variable `Path` and `PATH`. */
function variable(name: string, { env, ownEnv, platform }: ExecutableSearch): string | undefined {
  const isName = (key: string): boolean =>
    (platform ?? process.platform) === 'win32' ? key.toUpperCase() === name : key === name;
  const own = Object.entries(ownEnv).findLast(([key]) => isName(key));
  if (own) return own[1] ?? undefined;
  return Object.entries(env).findLast(([key]) => isName(key))?.[1];
}
