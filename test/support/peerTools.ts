// Programs of others that our own are held against, installed from npm beside the repository's own packages: some need
// a newer Node than ours runs on, which npm has, too. Installed once, kept under `.vscode-test/`, which git ignores.
import { execFile, spawn, type ChildProcessByStdio } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';

const isLinux = process.platform === 'linux'; // Elsewhere our own Node has to do.
const packages = [
  'mcp-remote@0.15.1',
  '@modelcontextprotocol/conformance@0.2.0-alpha.12',
  'conformance-0.1@npm:@modelcontextprotocol/conformance@0.1.16',
  '@modelcontextprotocol/inspector@2.12.0',
  ...(isLinux ? [`node-linux-${process.arch}@22.23.3`] : []),
];
const serverPackages = [
  'fastmcp@4.20.16',
  '@modelcontextprotocol/server-filesystem@2026.8.31',
  '@modelcontextprotocol/server-memory@2026.8.31',
];

/** For a test that may have to install them first. */
export const withInstallMs = 300_000;

export type PeerTools = {
  node: string;
  mcpRemote: string;
  /** The suite that knows both eras. */
  conformance: string;
  /** The last of the line before it. */
  conformance01: string;
  inspector: string;
};

export async function peerTools(): Promise<PeerTools> {
  const modules = await installed(packages);
  return {
    node: isLinux ? join(modules, `node-linux-${process.arch}/bin/node`) : process.execPath,
    mcpRemote: join(modules, 'mcp-remote/dist/proxy.js'),
    conformance: join(modules, '@modelcontextprotocol/conformance/dist/index.js'),
    conformance01: join(modules, 'conformance-0.1/dist/index.js'),
    inspector: join(modules, '.bin/mcp-inspector'),
  };
}

/** MCP servers of others: where their modules are, and the entry of each. */
export type PeerServers = { modules: string; filesystem: string; memory: string };

export async function peerServers(): Promise<PeerServers> {
  const modules = await installed(serverPackages);
  return {
    modules,
    filesystem: join(modules, '@modelcontextprotocol/server-filesystem/dist/index.js'),
    memory: join(modules, '@modelcontextprotocol/server-memory/dist/index.js'),
  };
}

/** The folder of the modules. */
async function installed(wanted: readonly string[]): Promise<string> {
  const digest = createHash('sha256').update(wanted.join(' ')).digest('hex').slice(0, 16);
  const folder = resolve('.vscode-test', `peers-${digest}`);
  if (!existsSync(folder)) await install(folder, wanted);
  return join(folder, 'node_modules');
}

async function install(folder: string, wanted: readonly string[]): Promise<void> {
  const unfinished = `${folder}.${process.pid}`;
  await mkdir(unfinished, { recursive: true });
  await writeFile(join(unfinished, 'package.json'), '{"private":true}');
  const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await promisify(execFile)('npm', ['install', ...flags, ...wanted], { cwd: unfinished });
  // Whoever was first is as good as we are.
  await rename(unfinished, folder).catch(() => rm(unfinished, { recursive: true }));
}

export type Peer = {
  child: ChildProcessByStdio<null, Readable, Readable>;
  /** Both streams together. */
  said: () => string;
  ended: Promise<number | null>;
};

/** Ended with the test. */
export function startPeer(command: string, args: readonly string[], env: Record<string, string>): Peer {
  const { NODE_OPTIONS: _ours, ...inherited } = process.env;
  const child = spawn(command, args, { env: { ...inherited, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const ended = new Promise<number | null>((settle) => child.once('close', settle));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { child, said: () => text, ended };
}
