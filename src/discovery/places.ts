// Where configuration files stand: in a workspace folder, or where this platform keeps what is the user's. A `*` in a
// segment stands for any text in a name, so that profiles and folders full of small files are found.
import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Files one place with a `*` may stand for; the first by name are read. */
export const maxFilesPerPlace = 64;

/** A folder of the user: fixed for the platform, or named by a variable. */
export type UserBase = 'home' | 'config' | 'apps' | 'zed' | 'goose' | { variable: string; else: string };

export type ConfigPlace = { base: 'workspace' | UserBase; path: readonly string[] };

export function place(base: ConfigPlace['base'], ...path: string[]): ConfigPlace {
  return { base, path };
}

export type Platform = {
  platform: NodeJS.Platform;
  home: string;
  env: Record<string, string | undefined>;
};

/** Whose environment it is says where he lives; else the system does. */
export function homeOf(env: Record<string, string | undefined>, platform = process.platform): string {
  return env[platform === 'win32' ? 'USERPROFILE' : 'HOME'] || homedir();
}

/** `config`: XDG (also where clients ignore the platform's way); `apps`: where programs of this platform keep theirs. */
export function userFolder(base: UserBase, { platform, home, env }: Platform): string {
  const isWindows = platform === 'win32';
  const config = env['XDG_CONFIG_HOME'] || join(home, '.config');
  const roaming = env['APPDATA'] || join(home, 'AppData', 'Roaming');
  if (typeof base === 'object') return env[base.variable] || join(home, base.else);
  switch (base) {
    case 'home':
      return home;
    case 'config':
      return config;
    case 'apps':
      if (platform === 'darwin') return join(home, 'Library', 'Application Support');
      return isWindows ? roaming : config;
    case 'zed':
      return isWindows ? join(roaming, 'Zed') : join(config, 'zed');
    case 'goose':
      return isWindows ? join(roaming, 'Block', 'goose', 'config') : join(config, 'goose');
  }
}

/** The files that stand there now; one without a `*` is given whether it is there or not. */
export async function filesAt(folder: string, path: readonly string[]): Promise<string[]> {
  let files = [folder];
  for (const segment of path) {
    if (!segment.includes('*')) files = files.map((file) => join(file, segment));
    else files = (await Promise.all(files.map((file) => matching(file, segment)))).flat().slice(0, maxFilesPerPlace);
  }
  return files;
}

async function matching(folder: string, pattern: string): Promise<string[]> {
  const [before = '', after = ''] = pattern.split('*');
  const fits = (name: string): boolean =>
    name.length >= before.length + after.length && name.startsWith(before) && name.endsWith(after);
  try {
    const names = await readdir(folder);
    return names
      .filter(fits)
      .sort()
      .map((name) => join(folder, name));
  } catch {
    return []; // Not there, or not ours to read: then nothing in it is.
  }
}
