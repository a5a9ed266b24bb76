// From an entry as its file defines it to a server that can be shown and started: variables filled in, the
// environment file read, relative folders anchored in the workspace. What is missing becomes the server's `problem`.
import { createHash } from 'node:crypto';
import { isAbsolute, resolve } from 'node:path';
import type { ServerEntry } from './configText.ts';
import { parseEnvFile } from './envFile.ts';
import type { CommittedFiles } from './git/committedFiles.ts';
import type { DiscoveredServer, ServerInput, ServerSource, ServerTransport } from '../core/server.ts';
import { readTextFile } from './textFile.ts';
import { writtenSecrets } from './writtenSecrets.ts';
import { fromEnv, resolveVariables, type VariableFamily, type VariableValues } from './variables.ts';

export async function resolveEntry(
  entry: ServerEntry,
  source: ServerSource & { file: string },
  variables: VariableFamily,
  values: VariableValues,
  committed: CommittedFiles,
): Promise<DiscoveredServer> {
  const problems = [...entry.problems];
  const needs = new Map<string, ServerInput>();
  let answered = false;
  const fill = (text: string): string => {
    const resolved = resolveVariables(text, variables, values);
    problems.push(...resolved.problems);
    for (const input of resolved.needs ?? []) needs.set(input.id, input);
    answered ||= resolved.answered === true;
    return resolved.text;
  };
  const where = source.scope === 'workspace' ? writtenSecrets(entry) : [];
  const missing = (): number => problems.length + needs.size;
  const transport = await resolveTransport(entry, values, fill, problems, missing);

  const server: DiscoveredServer = {
    id: serverId(source.file, entry.name),
    name: entry.name,
    source: { ...source, line: entry.line },
    transport,
  };
  if (answered) server.answered = true;
  if (where.length > 0) server.secrets = { where, committed: (await committed.has(source.file)) === true };
  if (problems.length === 0 && needs.size > 0) server.needs = [...needs.values()];
  const unanswered = Array.from(needs.values(), ({ id, description }) => {
    return `needs input “${id}”${description ? ` (${description})` : ''}`;
  });
  const all = [...new Set([...problems, ...unanswered])];
  if (all.length > 0) server.problem = all.join('; ');
  return server;
}

/** The same for the same name in the same file, on every run. */
export function serverId(file: string, name: string): string {
  return createHash('sha256')
    .update(JSON.stringify([file, name]))
    .digest('hex')
    .slice(0, 16);
}

async function resolveTransport(
  { definition }: ServerEntry,
  values: VariableValues,
  fill: (text: string) => string,
  problems: string[],
  missing: () => number,
): Promise<ServerTransport> {
  if (definition.kind === 'http') {
    const before = missing();
    const url = fill(definition.url);
    // A URL that still waits for an input is no URL yet, and that is said already.
    if (missing() === before) problems.push(...urlProblems(url));
    const headers = definition.headers.map(([name, value]): [string, string] => [name, fill(value)]);
    for (const { header, prefix, variable } of definition.envHeaders ?? []) {
      const value = fromEnv(variable, values);
      if (value === undefined) problems.push(`needs the environment variable ${variable.slice(0, 80)}`);
      else headers.push([header, prefix + value]);
    }
    problems.push(...headers.flatMap(([name, value]) => headerProblems(name, value)));
    return { kind: 'http', url, headers: Object.fromEntries(headers) };
  }

  const { command, args, env, envFile, cwd } = definition;
  const at = (path: string): string => resolve(values.folder, path);
  const fromFile = envFile === undefined ? [] : await readEnvFile(at(fill(envFile)), problems);
  const named = env.map(([name, value]): [string, string | null] => [name, value === null ? null : fill(value)]);
  for (const [name] of named) if (!/^[^=\0]+$/.test(name)) problems.push(`“${name}” cannot name a variable`);
  return {
    kind: 'stdio',
    command: fill(command),
    args: args.map(fill),
    env: Object.fromEntries([...fromFile, ...named]),
    cwd: cwd === undefined ? values.folder : at(fill(cwd)),
  };
}

async function readEnvFile(path: string, problems: string[]): Promise<[string, string][]> {
  if (!isAbsolute(path)) return [];
  const file = await readTextFile(path);
  if (file.kind === 'text') return parseEnvFile(file.text);
  problems.push(`its envFile ${path} ${file.kind === 'absent' ? 'does not exist' : file.message}`);
  return [];
}

function urlProblems(url: string): string[] {
  if (!URL.canParse(url)) return ['its url is not a URL'];
  const parsed = new URL(url);
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') {
    return [`its url starts with ${parsed.protocol} where http: or https: is needed`];
  }
  if (parsed.username || parsed.password) return ['its url holds a user name or password; send them in “headers”'];
  return [];
}

function headerProblems(name: string, value: string): string[] {
  const nameIsValid = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name);
  const valueIsValid = !/[\0\r\n]/.test(value);
  return nameIsValid && valueIsValid ? [] : [`the header “${name}” cannot be sent as it is`];
}
