// Where an edge keeps what it remembers: in its own folder, or in a registry that it shares with other nodes
// (`--registry`). What reaches NATS is loaded only where there is one.
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { resolve } from 'node:path';
import { systemCode, TunnelError } from '../core/errors.ts';
import { parseHostPort, type HostPort } from '../core/hostname.ts';
import { Cluster, type RegistryOptions } from '../edge/cluster/cluster.ts';
import { parseRegistryUrl } from '../edge/cluster/registryUrl.ts';
import type { EdgeLog } from '../edge/edgeLog.ts';
import type { EdgeStateOptions } from '../edge/edgeState.ts';
import type { CommandContext, OptionRow } from './command.ts';
import { maxRepeats } from './optionParsers.ts';

/** What of it is kept with the settings: files by their whole paths, never what is in them. */
export type RegistrySettings = { servers: string[]; creds?: string; ca?: string };

export type EdgeRegistryOptions = {
  registry?: string[];
  registryCreds?: string;
  registryCa?: string;
  nodeAddress?: HostPort;
  publicAddress?: HostPort;
};

export const edgeRegistryOptions: readonly OptionRow[] = [
  {
    flags: '--registry <url...>',
    help: 'share names, tokens and routes with other nodes in this NATS (nats:// or tls://); memory: alone',
    parse: registryUrls,
  },
  {
    flags: '--registry-creds <file>',
    help: 'what the registry knows this node by: NATS’s .creds, a seed, user:password or a token',
  },
  { flags: '--registry-ca <file>', help: 'PEM of the CA that signed the registry’s certificate' },
  {
    flags: '--node-address <host:port>',
    help: 'where the other nodes reach this one (default: the address it listens on)',
    parse: address,
  },
  {
    flags: '--public-address <host:port>',
    help: 'where connectors reach this node (default: as the other nodes)',
    parse: address,
  },
];

/** `nats://host[:port]`; `memory` alone stands for none. Throws `USAGE`. */
export function registryUrls(text: string, before: unknown): string[] {
  const values = Array.isArray(before) ? (before as string[]) : [];
  if (values.length >= maxRepeats) throw new TunnelError('USAGE', `at most ${maxRepeats} values can be given`);
  const url = parseRegistryUrl(text);
  return url === undefined ? values : [...values, url];
}

/** The registry that the options name, for this and later runs; `undefined` where there is none. */
export function registrySettings(
  { folder, env }: CommandContext,
  { registry = [], registryCreds = env['MCP_TUNNEL_REGISTRY_CREDS'], registryCa }: EdgeRegistryOptions,
): RegistrySettings | undefined {
  if (registry.length === 0) return undefined;
  return {
    servers: registry,
    ...(registryCreds === undefined ? {} : { creds: resolve(folder, registryCreds) }),
    ...(registryCa === undefined ? {} : { ca: resolve(folder, registryCa) }),
  };
}

export type JoinOptions = EdgeStateOptions & {
  registry: RegistrySettings;
  /** Whose host stands where no address is named. */
  listen: HostPort;
  addresses: Pick<EdgeRegistryOptions, 'nodeAddress' | 'publicAddress'>;
  log: EdgeLog;
};

/**
 * Throws `TIMEOUT` where it cannot be reached, `CONFIG_INVALID` where it is another edge's, and the reason of `signal`
 * where it is aborted first: servers that say nothing may take seconds each.
 */
export async function joinRegistry(options: JoinOptions, signal: AbortSignal): Promise<Cluster> {
  signal.throwIfAborted();
  const joining = join(options);
  let giveUp = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => (giveUp = () => reject(signal.reason as Error)));
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([joining, aborted]);
  } catch (error) {
    void joining.then((late) => late.close()).catch(() => {}); // Nobody waits for it any more.
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

async function join({ registry, listen, addresses, ...state }: JoinOptions): Promise<Cluster> {
  const { servers, creds, ca } = registry;
  const options: RegistryOptions = {
    servers,
    ...(creds === undefined ? {} : { credentials: await read(creds) }),
    ...(ca === undefined ? {} : { ca: await read(ca) }),
  };
  const { openNatsBucket } = await import('../edge/cluster/natsBucket.ts');
  const { nodeAddress = { host: reachable(listen.host), port: 0 }, publicAddress = nodeAddress } = addresses;
  return Cluster.join({
    ...state,
    openBucket: openNatsBucket,
    registry: options,
    address: nodeAddress,
    publicAddress,
    random: Math.random,
  });
}

/** Of an address that stands for all of this machine, one that others can dial. Throws `USAGE`. */
function reachable(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host;
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4');
  if (found) return found.address;
  throw new TunnelError('USAGE', 'say with --node-address where the other nodes reach this one');
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new TunnelError('USAGE', `${file} cannot be read (${systemCode(cause) ?? 'unknown error'})`, { cause });
  }
}

function address(text: string): HostPort {
  return parseHostPort(text, 443);
}
