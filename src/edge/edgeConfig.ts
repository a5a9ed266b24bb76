// `edge.yaml`: everything an edge can be told, by one strict schema that is also printed as JSON Schema. Whatever is
// wrong is said with file, line and path, and what it may have meant.
import { z } from 'zod';
import { closest } from '../core/closest.ts';
import { parseDuration } from '../core/duration.ts';
import { errorInfo, TunnelError } from '../core/errors.ts';
import { parseDomain, parseHostPort, parseListenAddress } from '../core/hostname.ts';
import type { JsonObject } from '../core/json.ts';
import { parseNetwork } from '../core/network.ts';
import { parseRegistryUrl } from './cluster/registryUrl.ts';
import { ConfigFault, readConfigText, type ConfigText } from './edgeConfigText.ts';
import { edgeLimitNames, edgeLimitRange } from './edgeLimitRanges.ts';
import { defaultEdgeLimits, type EdgeLimits } from './edgeLimits.ts';
import { logLevels } from './edgeLog.ts';
import { checkScope, maxScopeGlobs } from './labelScope.ts';

/** Longest time an edge may take to end. */
export const maxDrainMs = 3_600_000;
/** Servers of one registry. */
const maxServers = 100;
export const maxProxyNetworks = 100;

const limit = (name: keyof EdgeLimits) => {
  const [least, most] = edgeLimitRange(name);
  const error = `it is a whole number from ${least} to ${most} (usually ${defaultEdgeLimits[name]})`;
  return z.int({ error }).min(least, { error }).max(most, { error }).optional();
};

/** A text that `read` makes a value of; what it throws is what is wrong. */
function written<T>(read: (text: string) => T, what: string) {
  return z
    .string({ error: `it is ${what}` })
    .max(1000)
    .transform((text, context): T => {
      try {
        return read(text);
      } catch (error) {
        context.issues.push({ code: 'custom', message: errorInfo(error).message, input: text });
        return z.NEVER;
      }
    })
    .optional();
}

const file = written((text) => text, 'the path of a file').describe('relative to the folder of this file');
const address = written(parseListenAddress, 'an address as host:port');
const place = written((text) => parseHostPort(text, 443), 'an address as host:port');

function span(text: string): number {
  if (text === '0s') return 0;
  const ms = parseDuration(text);
  if (ms > maxDrainMs) throw new TunnelError('USAGE', `“${text}” is longer than an hour`);
  return ms;
}

function reservedLabel(text: string): string {
  checkScope([text]);
  return text;
}

const schema = z.strictObject({
  domain: written(parseDomain, 'a domain').describe('tunnels get names below it'),
  listen: address.describe('the one port of the edge, host:port'),
  data: file.describe('folder of the edge’s data, relative to the folder of this file'),
  cert: file.describe('PEM certificate for connect. and enroll.<domain>, with its chain'),
  key: file.describe('PEM key of cert'),
  health: address.describe('loopback address of /healthz, /readyz and /metrics'),
  log: z
    .strictObject({
      format: z.enum(['text', 'json'], { error: 'it is text or json' }).optional(),
      level: z.enum(logLevels, { error: `it is one of ${logLevels.join(', ')}` }).optional(),
    })
    .optional(),
  drain: z
    .strictObject({
      lead: written(span, 'a time span like 5s').describe('from “not ready” to the end of listening'),
      within: written(span, 'a time span like 30s').describe('how long visitors may take to finish'),
    })
    .optional(),
  reservedLabels: z
    .array(written(reservedLabel, 'a label').unwrap())
    .max(maxScopeGlobs, { error: `it has at most ${maxScopeGlobs} labels or globs` })
    .optional()
    .describe('labels, or globs over one, that no connector may claim from now on; claims that stand go on'),
  proxyFrom: z
    .array(written(parseNetwork, 'a network like 192.0.2.0/24').unwrap())
    .max(maxProxyNetworks, { error: `it has at most ${maxProxyNetworks} networks` })
    .optional()
    .describe('load balancers in front: what they open must begin with a PROXY header, version 2'),
  asnDb: file.describe('MMDB file with autonomous systems, relative to the folder of this file'),
  registry: z
    .strictObject({
      servers: z
        .array(written(parseRegistryUrl, 'nats://host:port').unwrap())
        .max(maxServers, { error: `it has at most ${maxServers} servers` })
        .describe('NATS, shared with other nodes: nats:// or tls://'),
      creds: file.describe('file with what the registry knows this node by'),
      ca: file.describe('PEM of the CA that signed the registry’s certificate'),
      nodeAddress: place.describe('where the other nodes reach this one, host:port'),
      publicAddress: place.describe('where connectors reach this node, host:port'),
    })
    .optional()
    .describe('what the nodes of one edge share; absent: it is alone'),
  limits: z
    .strictObject(
      Object.fromEntries(edgeLimitNames.map((name) => [name, limit(name)])) as Record<
        keyof EdgeLimits,
        ReturnType<typeof limit>
      >,
    )
    .optional(),
});

export type EdgeConfig = z.output<typeof schema>;

/** Throws `CONFIG_INVALID`: the first thing that is wrong, with file, line and path. */
export function parseEdgeConfig(bytes: Buffer, path: string): EdgeConfig {
  let text: ConfigText;
  try {
    text = readConfigText(bytes);
  } catch (error) {
    if (!(error instanceof ConfigFault)) throw error;
    const { line, column } = error.place ?? {};
    throw invalid([path, line, column], error.message, { file: path, ...error.place });
  }
  const result = schema.safeParse(text.value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const at = [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])];
  const { line, column } = text.place(at);
  const why = unknown === undefined ? (issue?.message ?? 'it is wrong') : noSuchKey(unknown, issue?.path[0]);
  const name = at.map(String).join('.').slice(0, 100);
  throw invalid([path, line, column], name === '' ? why : `${name}: ${why}`, { file: path, line, column, path: name });
}

/** JSON Schema (2020-12) of the file, for editors. */
export function edgeConfigSchema(): JsonObject {
  return z.toJSONSchema(schema, { io: 'input' }) as JsonObject;
}

function noSuchKey(key: string, section: PropertyKey | undefined): string {
  const { limits, log, drain } = schema.shape;
  const sections: Record<string, object> = { limits, log, drain };
  const shape = section === undefined ? schema.shape : (sections[String(section)] as typeof log).unwrap().shape;
  const meant = closest(key, Object.keys(shape));
  return `there is no such setting${meant === undefined ? '' : `; did you mean ${meant}?`}`;
}

function invalid(place: readonly (string | number | undefined)[], why: string, data: JsonObject): TunnelError {
  const where = place.filter((part) => part !== undefined).join(':');
  return new TunnelError('CONFIG_INVALID', `${where}: ${why}`, { data });
}
