// Tunnels as people open them: the built command in a process of its own, for a server given as a command line or a
// URL, on this machine only or through an edge that is another process.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { runCommand, startCommand, type Ready, type RunningCommand } from './command.ts';
import { temporaryFolder } from './temporaryFolder.ts';

/** What follows `expose`: `--url …`, or `--` and a command line. */
export type ServerWords = readonly string[];
export type Carrier = 'embedded' | 'edge';

export type Exposed = { command: RunningCommand; ready: Ready; home: string };

export const overStdio = (command: readonly string[]): ServerWords => ['--', ...command];
export const overHttp = (url: string): ServerWords => ['--url', url];

/** Ended with the test. Calls are not limited per minute: suites ask more in a second than people in an hour. */
export async function expose(
  server: ServerWords,
  carrier: Carrier = 'embedded',
  env: Record<string, string> = {},
): Promise<Exposed> {
  const home = await temporaryFolder();
  const through = carrier === 'edge' ? await enrolledAtNewEdge(home) : undefined;
  const destinations = through ? [{ carrier: 'edge', host: through }] : [{ carrier: 'embedded' }];
  const limits = { requestsPerMinute: 1_000_000, maxConcurrent: 1_000 };
  await mkdir(home, { recursive: true });
  await writeFile(join(home, 'policy.json'), JSON.stringify({ version: 1, destinations, limits }));
  const words = through ? ['--carrier', 'edge', '--edge', through] : [];
  const command = startCommand(['expose', '--json', ...words, ...server], { home, env });
  return { command, ready: (await command.line('ready')) as unknown as Ready, home };
}

/** The place of a new edge at which `home` is enrolled. */
async function enrolledAtNewEdge(home: string): Promise<string> {
  const domain = 'edge.localhost';
  const data = await temporaryFolder();
  const words = ['edge', 'run', '--json', '--domain', domain, '--listen', '127.0.0.1:0', '--data', data];
  const ready = await startCommand(words, { home: data }).line('ready');
  const place = `${domain}:${String(ready['address']).split(':').at(-1)}`;
  await done(['allow', 'add', 'edge', place, '--json'], home);
  const [minted] = await done(['edge', 'token', '--json', '--data', data], data);
  const enrol = ['enroll', place, '--json', '--token-file', '-', '--pin', String(ready['pin'])];
  await done(enrol, home, String(minted?.['token']));
  return place;
}

async function done(words: string[], home: string, input = ''): Promise<Record<string, unknown>[]> {
  const { code, lines, stderr } = await runCommand(words, { home, input });
  expect(code, stderr).toBe(0);
  return lines;
}
