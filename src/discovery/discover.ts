// Finds the MCP servers that the files of some workspace folders define. Reads only; nothing found is run.
import { homedir } from 'node:os';
import { join, resolve, sep } from 'node:path';
import type { ConfigReader } from './configReader.ts';
import { formats } from './formats.ts';
import { resolveEntry } from './resolveEntry.ts';
import type { ServerList } from '../core/server.ts';
import { readTextFile } from './textFile.ts';

/** Workspace folders looked into; a window with more shows the servers of the first. */
export const maxFolders = 64;

/** Never rejects: what cannot be read is in `problems`, and the other files are still read. */
export async function discover(
  folders: readonly string[],
  env: Record<string, string | undefined>,
  home: string = homedir(),
): Promise<ServerList> {
  const roots = [...new Set(folders.map((folder) => resolve(folder)))].slice(0, maxFolders);
  const reads = roots.flatMap((folder) => formats.map((reader) => readConfig(reader, folder, roots, env, home)));
  const lists = await Promise.all(reads);
  return {
    servers: lists.flatMap(({ servers }) => servers),
    problems: lists.flatMap(({ problems }) => problems),
  };
}

async function readConfig(
  reader: ConfigReader,
  folder: string,
  folders: readonly string[],
  env: Record<string, string | undefined>,
  home: string,
): Promise<ServerList> {
  const file = join(folder, ...reader.path);
  const content = await readTextFile(file);
  if (content.kind === 'absent') return { servers: [], problems: [] };
  if (content.kind === 'problem') return { servers: [], problems: [{ file, message: content.message }] };

  const { entries, faults, inputs } = reader.read(content.text);
  const values = { folder, folders, home, env, pathSeparator: sep, inputs };
  return {
    servers: await Promise.all(entries.map((entry) => resolveEntry(entry, file, reader, values))),
    problems: faults.map((fault) => ({ file, ...fault })),
  };
}
