// What an edge is to be: the words of the command, then `edge.yaml`, then what is usual. Only the file that --config
// names is read: what lies in the data folder must not say where that folder is, or what the edge listens on.
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { systemCode, TunnelError } from '../core/errors.ts';
import type { HostPort } from '../core/hostname.ts';
import type { Network } from '../core/network.ts';
import { parseEdgeConfig, type EdgeConfig } from '../edge/edgeConfig.ts';
import { maxConfigBytes } from '../edge/edgeConfigText.ts';
import { defaultDrain } from '../edge/edgeDrain.ts';
import type { EdgeLimits } from '../edge/edgeLimits.ts';
import type { LogFormat, LogLevel } from '../edge/edgeLog.ts';
import type { EdgeFrontOptions } from './edgeFront.ts';
import type { EdgeRegistryOptions } from './edgeRegistry.ts';

/** As the words of the command say; absent where they say nothing. */
export type EdgeRunOptions = EdgeFrontOptions &
  EdgeRegistryOptions & {
    config?: string;
    domain?: string;
    listen?: HostPort;
    data?: string;
    cert?: string;
    key?: string;
    health?: HostPort;
    log?: LogFormat;
    logLevel?: LogLevel;
    drain?: number;
    drainLead?: number;
  };

/** Paths are absolute. */
export type EdgePlan = {
  domain: string | undefined;
  listen: HostPort;
  data: string | undefined;
  certificate: { cert: string; key: string } | undefined;
  health: HostPort | undefined;
  log: { format: LogFormat; level: LogLevel };
  drain: { leadMs: number; withinMs: number };
  proxyFrom: readonly Network[];
  asnDb: string | undefined;
  registry: EdgeRegistryOptions;
  reservedLabels: readonly string[];
  limits: Partial<EdgeLimits>;
};

export const usualListen: HostPort = { host: '0.0.0.0', port: 443 };

/** Throws `CONFIG_INVALID` for a file that is wrong, `USAGE` for words that do not go together. */
export async function planEdge(folder: string, words: EdgeRunOptions): Promise<EdgePlan> {
  const path = words.config === undefined ? undefined : resolve(folder, words.config);
  const file = path === undefined ? {} : await readEdgeConfig(path);
  const from = (text: string | undefined, base: string): string | undefined =>
    text === undefined ? undefined : resolve(base, text);
  const beside = path === undefined ? folder : dirname(path);
  const cert = from(words.cert, folder) ?? from(file.cert, beside);
  const key = from(words.key, folder) ?? from(file.key, beside);
  if ((cert === undefined) !== (key === undefined)) throw new TunnelError('USAGE', '--cert and --key go together');
  const { lead, within } = file.drain ?? {};
  return {
    domain: words.domain ?? file.domain,
    listen: words.listen ?? file.listen ?? usualListen,
    data: from(words.data, folder) ?? from(file.data, beside),
    certificate: cert === undefined || key === undefined ? undefined : { cert, key },
    health: words.health ?? file.health,
    log: { format: words.log ?? file.log?.format ?? 'text', level: words.logLevel ?? file.log?.level ?? 'info' },
    drain: {
      leadMs: words.drainLead ?? lead ?? defaultDrain.leadMs,
      withinMs: words.drain ?? within ?? defaultDrain.withinMs,
    },
    proxyFrom: [...(words.proxyFrom ?? file.proxyFrom ?? [])],
    asnDb: from(words.asnDb, folder) ?? from(file.asnDb, beside),
    registry: { ...registryIn(file, beside), ...registryWords(words) },
    reservedLabels: [...(file.reservedLabels ?? [])],
    limits: definedOf(file.limits ?? {}),
  };
}

function registryWords(words: EdgeRunOptions): EdgeRegistryOptions {
  const { registry, registryCreds, registryCa, nodeAddress, publicAddress } = words;
  return {
    ...(registry ? { registry } : {}),
    ...(registryCreds === undefined ? {} : { registryCreds }),
    ...(registryCa === undefined ? {} : { registryCa }),
    ...(nodeAddress ? { nodeAddress } : {}),
    ...(publicAddress ? { publicAddress } : {}),
  };
}

/** As the words of the command would have said it. */
function registryIn({ registry }: EdgeConfig, folder: string): EdgeRegistryOptions {
  if (!registry) return {};
  const { servers, creds, ca, nodeAddress, publicAddress } = registry;
  return {
    registry: servers.flatMap((server) => server ?? []),
    ...(creds === undefined ? {} : { registryCreds: resolve(folder, creds) }),
    ...(ca === undefined ? {} : { registryCa: resolve(folder, ca) }),
    ...(nodeAddress ? { nodeAddress } : {}),
    ...(publicAddress ? { publicAddress } : {}),
  };
}

/** Throws `CONFIG_INVALID`. */
export async function readEdgeConfig(path: string): Promise<EdgeConfig> {
  const cannot = (why: string, cause?: unknown): TunnelError =>
    new TunnelError('CONFIG_INVALID', `${path} cannot be read (${why})`, { cause, data: { file: path } });
  let handle;
  try {
    handle = await open(path, 'r');
  } catch (cause) {
    throw cannot(systemCode(cause) ?? 'unknown error', cause);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw cannot('it is not a file');
    // One byte more than may be: what is longer is refused by its length.
    const bytes = Buffer.alloc(Math.min(stat.size, maxConfigBytes) + 1);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    return parseEdgeConfig(bytes.subarray(0, bytesRead), path);
  } catch (cause) {
    if (cause instanceof TunnelError) throw cause;
    throw cannot(systemCode(cause) ?? 'unknown error', cause);
  } finally {
    await handle.close();
  }
}

/** What a plan changes that only a new start can take on. */
export function needsRestart(now: EdgePlan, next: EdgePlan): string[] {
  const fixed = (plan: EdgePlan): Record<string, unknown> => ({
    domain: plan.domain,
    listen: plan.listen,
    data: plan.data,
    'cert (there is one or none)': plan.certificate === undefined,
    health: plan.health,
    'log.format': plan.log.format,
    asnDb: plan.asnDb,
    registry: plan.registry,
    'limits.handshakeMs': plan.limits.handshakeMs,
  });
  const [before, after] = [fixed(now), fixed(next)];
  return Object.keys(before).filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}

function definedOf(limits: NonNullable<EdgeConfig['limits']>): Partial<EdgeLimits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
