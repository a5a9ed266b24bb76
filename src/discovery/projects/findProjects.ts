// MCP servers that are being developed in a workspace: projects that depend on an SDK, with the command that would
// start them. Reads only; what was found is offered, and runs after a person agreed to the very command.
import { basename, join } from 'node:path';
import type { DiscoveredServer } from '../../core/server.ts';
import { serverId } from '../resolveEntry.ts';
import { readTextFile } from '../textFile.ts';
import { readCompiledProject } from './compiled.ts';
import { readNodeProject } from './node.ts';
import type { ProjectReader } from './project.ts';
import { readPythonProject } from './python.ts';
import { walk, type WalkedFolder } from './walk.ts';

/** Servers found in one workspace folder; what comes after is left out. */
export const maxProjects = 200;

const readers: readonly ProjectReader[] = [readNodeProject, readPythonProject, readCompiledProject];

export async function findProjects(root: string, signal?: AbortSignal): Promise<DiscoveredServer[]> {
  const found: DiscoveredServer[] = [];
  await walk(
    root,
    async (folder) => {
      if (found.length < maxProjects) found.push(...(await serversIn(folder)));
    },
    signal,
  );
  return found.slice(0, maxProjects);
}

async function serversIn(walked: WalkedFolder): Promise<DiscoveredServer[]> {
  const read = async (...path: string[]): Promise<string | undefined> => {
    const file = await readTextFile(join(walked.folder, ...path));
    return file.kind === 'text' ? file.text : undefined;
  };
  const guesses = (await Promise.all(readers.map((reader) => reader(walked, read)))).flat();
  return guesses.map(({ name, command, args, reason, confidence, problem, file, line }) => {
    const path = join(walked.folder, file);
    return {
      id: serverId(path, name),
      name: name === '' ? basename(walked.folder) : name,
      source: { format: 'project', scope: 'workspace', file: path, ...(line === undefined ? {} : { line }) },
      transport: { kind: 'stdio', command, args, env: {}, cwd: walked.folder },
      guess: { reason, confidence },
      ...(problem === undefined ? {} : { problem }),
    };
  });
}
