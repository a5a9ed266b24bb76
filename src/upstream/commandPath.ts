// Where a command stands. We look it up ourselves, because the system's own search would take programs from the
// folder the server runs in (an empty or relative PATH entry; on Windows always): a workspace must not choose them.
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { posix, win32 } from 'node:path';
import { TunnelError } from '../core/errors.ts';

export type CommandSearch = {
  command: string;
  /** The server's folder: absolute. */
  cwd: string;
  env: Readonly<Record<string, string>>;
  platform?: NodeJS.Platform;
  home?: string;
};

/** The absolute path of the program. Throws `UPSTREAM_START` saying where it was looked for. */
export async function findCommand(search: CommandSearch): Promise<string> {
  const { command, cwd, env, platform = process.platform } = search;
  const path = platform === 'win32' ? win32 : posix;
  if (command === '') throw notFound('no command was given');
  const endings = endingsOf(command, env, platform);

  if (command.includes('/') || (platform === 'win32' && command.includes('\\'))) {
    const found = await firstProgram(endings.map((ending) => path.resolve(cwd, command) + ending));
    if (found) return found;
    throw notFound(`${path.resolve(cwd, command)} does not exist or is not executable`);
  }

  const { searched, skipped } = foldersOf(search, path);
  for (const folder of searched) {
    const found = await firstProgram(endings.map((ending) => path.join(folder, command) + ending));
    if (found) return found;
  }
  const where = searched.length === 0 ? 'PATH names no folder' : `searched ${searched.join(', ')}`;
  const but = skipped.length === 0 ? '' : `; not searched, because they belong to the workspace: ${skipped.join(', ')}`;
  throw notFound(`the command ${command} was not found on PATH (${where}${but})`);
}

function foldersOf(search: CommandSearch, path: typeof posix): { searched: string[]; skipped: string[] } {
  const { env, cwd, platform = process.platform, home = homedir() } = search;
  const name = platform === 'win32' ? Object.keys(env).find((key) => key.toUpperCase() === 'PATH') : 'PATH';
  const entries = new Set((env[name ?? 'PATH'] ?? '').split(path.delimiter).filter((entry) => entry !== ''));
  // A server that runs in the home folder, or above it, has every tool of the user "inside": that is no workspace.
  const workspace = isInside(path, home, cwd) ? undefined : cwd;
  const isForeign = (entry: string): boolean =>
    path.isAbsolute(entry) && (workspace === undefined || !isInside(path, entry, workspace));
  const all = [...entries];
  return { searched: all.filter(isForeign), skipped: all.filter((entry) => !isForeign(entry)) };
}

function isInside(path: typeof posix, inner: string, outer: string): boolean {
  const relative = path.relative(outer, inner);
  return relative === '' || (!relative.startsWith('..') && !path.isAbsolute(relative));
}

function endingsOf(command: string, env: Readonly<Record<string, string>>, platform: NodeJS.Platform): string[] {
  if (platform !== 'win32') return [''];
  const endings = (env['PATHEXT'] ?? '.COM;.EXE;.BAT;.CMD').split(';').filter((ending) => ending !== '');
  const hasEnding = endings.some((ending) => command.toLowerCase().endsWith(ending.toLowerCase()));
  return hasEnding ? ['', ...endings] : endings;
}

async function firstProgram(candidates: readonly string[]): Promise<string | undefined> {
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK);
      if ((await stat(candidate)).isFile()) return candidate;
    } catch {
      // Not here; the next one.
    }
  }
  return undefined;
}

function notFound(message: string): TunnelError {
  return new TunnelError('UPSTREAM_START', message);
}
