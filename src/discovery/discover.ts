// Finds MCP servers: those that configuration files define, in some workspace folders and for the user in every
// workspace, and those that are developed in the folders. Reads only; nothing found is run.
import { resolve, sep } from 'node:path';
import type { DiscoveredServer, DiscoveryProblem, ServerList, ServerTransport } from '../core/server.ts';
import { CommittedFiles } from './git/committedFiles.ts';
import { formats, type ConfigFormat } from './formats.ts';
import { filesAt, homeOf, userFolder, type Platform } from './places.ts';
import { findProjects } from './projects/findProjects.ts';
import { readConfig } from './readConfig.ts';
import { resolveEntry } from './resolveEntry.ts';
import { readTextFile } from './textFile.ts';
import { isInside } from './isInside.ts';

/** Workspace folders looked into; a window with more shows the servers of the first. */
export const maxFolders = 64;

/** Servers in one list; what comes after is left out and said so. */
export const maxServers = 2_000;

/** One file that may define servers, and how to read it. */
type Candidate = { file: string; format: ConfigFormat; scope: 'workspace' | 'user'; folder: string };

/** What a person answered to the inputs of a file, by id. */
export type InputAnswers = (file: string) => ReadonlyMap<string, string>;

const noAnswers: InputAnswers = () => new Map();

/** What every file is read with. */
type Around = {
  env: Record<string, string | undefined>;
  home: string;
  answers: InputAnswers;
  committed: CommittedFiles;
};

/** Never rejects: what cannot be read is in `problems`, and the other files are still read. */
export async function discover(
  folders: readonly string[],
  env: Record<string, string | undefined>,
  home: string = homeOf(env),
  platform: NodeJS.Platform = process.platform,
  answers: InputAnswers = noAnswers,
): Promise<ServerList> {
  const roots = rootsOf(folders);
  const candidates = await candidatesIn(roots, { env, home, platform });
  const committed = new CommittedFiles();
  const [lists, projects] = await Promise.all([
    Promise.all(candidates.map((candidate) => serversOf(candidate, roots, { env, home, answers, committed }))),
    // The home folder as a workspace is no project.
    Promise.all(roots.filter((root) => !isInside(home, root)).map((root) => findProjects(root))),
  ]);
  const declared = merged(lists.flatMap(({ servers }) => servers));
  return bounded(
    [...declared, ...undeclared(projects.flat(), declared)],
    lists.flatMap(({ problems }) => problems),
  );
}

export function rootsOf(folders: readonly string[]): string[] {
  return [...new Set(folders.map((folder) => resolve(folder)))].slice(0, maxFolders);
}

/** Every file that counts, each once, those of the workspace first. */
export async function candidatesIn(roots: readonly string[], platform: Platform): Promise<Candidate[]> {
  const [first = platform.home] = roots;
  const found = await Promise.all(
    formats.flatMap((format) =>
      format.places.flatMap(({ base, path }) =>
        base === 'workspace'
          ? roots.map((folder) => filesOf(format, 'workspace', folder, path, folder))
          : [filesOf(format, 'user', userFolder(base, platform), path, first)],
      ),
    ),
  );
  const all = found.flat();
  const seen = new Set<string>();
  const once = ({ file, format }: Candidate): boolean => {
    // The home folder opened as a workspace has the user's own files inside.
    const key = JSON.stringify([file, formats.indexOf(format)]);
    return !seen.has(key) && Boolean(seen.add(key));
  };
  return [...all.filter(({ scope }) => scope === 'workspace'), ...all.filter(({ scope }) => scope === 'user')].filter(
    once,
  );
}

async function filesOf(
  format: ConfigFormat,
  scope: Candidate['scope'],
  base: string,
  path: readonly string[],
  folder: string,
): Promise<Candidate[]> {
  return (await filesAt(base, path)).map((file) => ({ file, format, scope, folder }));
}

async function serversOf(
  { file, format, scope, folder }: Candidate,
  folders: readonly string[],
  { env, home, answers, committed }: Around,
): Promise<ServerList> {
  const content = await readTextFile(file);
  if (content.kind === 'absent') return { servers: [], problems: [] };
  if (content.kind === 'problem') return { servers: [], problems: [{ file, message: content.message }] };

  const { entries, faults, inputs } = readConfig(content.text, format, file, folders);
  const values = { file, folder, folders, home, env, pathSeparator: sep, inputs, answers: answers(file) };
  const source = { format: format.format, scope, file };
  return {
    servers: await Promise.all(
      entries.map((entry) => resolveEntry(entry, source, format.variables, values, committed)),
    ),
    problems: faults.map((fault) => ({ file, ...fault })),
  };
}

/** The very same server under the same name in several files is one: the first file's, which also gives its id. */
function merged(servers: readonly DiscoveredServer[]): DiscoveredServer[] {
  const byMeaning = new Map<string, DiscoveredServer>();
  for (const server of servers) {
    const { name, transport, problem } = server;
    const meaning = JSON.stringify([name, transport, problem]);
    const first = byMeaning.get(meaning);
    if (first) first.alsoIn = [...(first.alsoIn ?? []), server.source];
    else byMeaning.set(meaning, server);
  }
  return [...byMeaning.values()];
}

/** A guess at what a file declares anyway is none; of the same guess in two overlapping folders one stays. */
function undeclared(guesses: readonly DiscoveredServer[], declared: readonly DiscoveredServer[]): DiscoveredServer[] {
  const known = new Set(declared.map(({ transport }) => whatRuns(transport)));
  return guesses.filter(({ transport }) => {
    const runs = whatRuns(transport);
    return !known.has(runs) && Boolean(known.add(runs));
  });
}

function whatRuns(transport: ServerTransport): string {
  if (transport.kind === 'http') return JSON.stringify(transport.url);
  const { command, args, cwd } = transport;
  return JSON.stringify([command, args.map((arg) => resolve(cwd, arg))]);
}

function bounded(servers: DiscoveredServer[], problems: DiscoveryProblem[]): ServerList {
  if (servers.length <= maxServers) return { servers, problems };
  const file = servers[maxServers]?.source.file ?? '';
  const message = `only the first ${maxServers} of ${servers.length} servers are listed`;
  return { servers: servers.slice(0, maxServers), problems: [...problems, { file, message }] };
}
