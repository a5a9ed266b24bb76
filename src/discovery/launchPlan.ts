// What exactly will run, as a person is shown it, and its fingerprint: agreement is to the hash, so that a changed
// command, argument, value, folder, URL, or another file found under the same command name is asked about again.
import { createHash } from 'node:crypto';
import { codeLoadingEnv } from './codeLoadingEnv.ts';
import { findExecutable } from './executable.ts';
import type { LaunchPlan, ServerTransport } from '../core/server.ts';

/**
 * `command` is the absolute path of the executable: nothing is looked up again at start, where something else might be
 * found. `folders` are the workspace's, in which no command is looked up by name.
 * Throws `UPSTREAM_START` when the command is not found.
 */
export async function launchPlan(
  server: string,
  transport: ServerTransport,
  env: Record<string, string | undefined>,
  folders: readonly string[] = transport.kind === 'stdio' ? [transport.cwd] : [],
): Promise<LaunchPlan> {
  if (transport.kind === 'http') {
    const { url } = transport;
    const headers = sorted(Object.entries(transport.headers).map(([name, value]) => [name.toLowerCase(), value]));
    const hash = fingerprint(['http', server, url, headers]);
    return { hash, server, url, headerNames: headers.map(([name]) => name) };
  }
  const { command, args, cwd } = transport;
  const found = await findExecutable(command, { env, ownEnv: transport.env, cwd, folders });
  const own = sorted(Object.entries(transport.env));
  const hash = fingerprint(['stdio', server, command, found, args, own, cwd]);
  const loads = codeLoadingEnv(own);
  const envNames = own.map(([name]) => name);
  return { hash, server, command: found, args, envNames, ...(loads ? { loads } : {}), cwd };
}

/** Order of names in a file says nothing; the order of arguments does. */
function sorted<T>(entries: [string, T][]): [string, T][] {
  return entries.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
}

/** Lists in a fixed order, so that there is one text for one plan and no two plans share a text. */
function fingerprint(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
