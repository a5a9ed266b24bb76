// A helper in this process with a state folder of its own, driven over its contract as the extension and the command do.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ServerTransport } from '../../src/core/server.ts';
import { HelperHost } from '../../src/helper/helperHost.ts';
import { statePaths, type StatePaths } from '../../src/helper/statePaths.ts';
import {
  controlVersion,
  type DriverContract,
  type HelperContract,
  type HelperRequests,
  type OpenedTunnel,
  type OpenTunnel,
  type TunnelInfo,
} from '../../src/protocol/control.ts';
import { Peer } from '../../src/protocol/peer.ts';
import { portPair } from '../../src/protocol/portPair.ts';
import { CountingClock } from './leaks.ts';
import { fixtureServer } from './stdioWorld.ts';
import { temporaryFolder } from './temporaryFolder.ts';

export type DriverPeer = Peer<DriverContract, HelperContract>;

export type Driver = {
  peer: DriverPeer;
  /** What the helper last said of its tunnels, and every state each of them had. */
  tunnels: () => TunnelInfo[];
  states: (tunnel: string) => string[];
  notified: (method: keyof DriverContractNotifications) => number;
};

type DriverContractNotifications = HelperContract['notifications'] & {
  'tunnels/changed': unknown;
  'traffic/changed': unknown;
  'servers/changed': unknown;
  log: unknown;
};

export type HelperWorld = Driver & {
  host: HelperHost;
  paths: StatePaths;
  home: string;
  /** Another driver of the same helper. */
  drive: (hello?: Partial<HelperRequests['hello']['params']> | 'silent') => Promise<Driver>;
  open: (request?: Partial<OpenTunnel>, signal?: AbortSignal) => Promise<OpenedTunnel>;
  /** Everything that the audit logs of this state folder hold. */
  audit: () => Promise<Record<string, unknown>[]>;
  writePolicy: (policy: object | string) => Promise<void>;
};

export type HelperWorldOptions = {
  home?: string;
  clock?: CountingClock;
  folders?: string[];
  trusted?: boolean;
  hello?: boolean;
  env?: NodeJS.ProcessEnv;
};

export async function aHelper(options: HelperWorldOptions = {}): Promise<HelperWorld> {
  const home = options.home ?? (await temporaryFolder());
  const clock = options.clock ?? new CountingClock();
  const env = { ...process.env, ...options.env };
  const paths = statePaths({ MCP_TUNNEL_HOME: home }, process.platform, homedir(), {
    managedPolicy: join(home, 'managed.json'),
  });
  const host = new HelperHost({ paths, env, clock, random: Math.random });
  onTestFinished(() => host.stop());
  const { folders = [], trusted = true } = options;
  const usual = { version: controlVersion, trusted, folders };
  const drive: HelperWorld['drive'] = async (hello = {}) => {
    const [ours, theirs] = portPair();
    const served = new Peer<HelperContract, DriverContract>(theirs);
    host.serve(served);
    served.start();
    const driver = listen(new Peer<DriverContract, HelperContract>(ours));
    onTestFinished(() => driver.peer.close());
    if (hello !== 'silent') await driver.peer.request('hello', { ...usual, ...hello });
    return driver;
  };
  const driver = await drive(options.hello === false ? 'silent' : {});
  return {
    ...driver,
    host,
    paths,
    home,
    drive,
    open: (request, signal) => driver.peer.request('tunnel/open', { ...anOpening(), ...request }, signal),
    audit: () => auditOf(paths),
    writePolicy: (policy) =>
      writeFile(paths.userPolicy, typeof policy === 'string' ? policy : JSON.stringify({ version: 1, ...policy })),
  };
}

/** A request for a tunnel to the fixture server on this machine. */
export function anOpening(flags: string[] = [], more: Partial<OpenTunnel> = {}): OpenTunnel {
  return {
    server: { inline: { name: 'fixture', transport: fixture(flags) } },
    destination: { carrier: 'embedded' },
    grant: { name: 'tester', scope: {}, expiresMs: Date.now() + 3_600_000 },
    ...more,
  };
}

export function fixture(flags: string[] = []): ServerTransport {
  return { kind: 'stdio', command: process.execPath, args: [fixtureServer, ...flags], env: {}, cwd: '/' };
}

function listen(peer: DriverPeer): Driver {
  let tunnels: TunnelInfo[] = [];
  const states = new Map<string, string[]>();
  const counts = new Map<string, number>();
  for (const method of ['tunnels/changed', 'traffic/changed', 'servers/changed', 'log'] as const) {
    peer.on(method, (params) => {
      counts.set(method, (counts.get(method) ?? 0) + 1);
      if (method !== 'tunnels/changed') return;
      ({ tunnels } = params as { tunnels: TunnelInfo[] });
      for (const { id, state } of tunnels) {
        const seen = states.get(id) ?? [];
        if (seen.at(-1) !== state.kind) states.set(id, [...seen, state.kind]);
      }
    });
  }
  peer.start();
  return {
    peer,
    tunnels: () => tunnels,
    states: (tunnel) => states.get(tunnel) ?? [],
    notified: (method) => counts.get(method) ?? 0,
  };
}

async function auditOf({ auditFolder }: StatePaths): Promise<Record<string, unknown>[]> {
  const files = await readdir(auditFolder, { recursive: true }).catch(() => []);
  const texts = await Promise.all(
    files.filter((file) => file.endsWith('.jsonl')).map((file) => readFile(join(auditFolder, file), 'utf8')),
  );
  return texts
    .flatMap((text) => text.split('\n'))
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
