// `mcp-tunnel allow add | list | remove`: the destinations in the user's policy file. Running helpers read the file
// again within a second.
import { fromErrorInfo, TunnelError } from '../core/errors.ts';
import { PolicyStore } from '../policy/policyStore.ts';
import { parseHostPattern } from '../policy/hostPattern.ts';
import type { DestinationEntry } from '../policy/policySchema.ts';
import { noteInAudit } from './auditNote.ts';
import type { CommandContext } from './command.ts';
import { edgeHost } from './optionParsers.ts';

type Words = readonly (string | undefined)[];

export async function allowAdd(context: CommandContext, words: Words, options: { pin?: string }): Promise<void> {
  const entry = { ...entryOf(words), ...(options.pin === undefined ? {} : { pin: options.pin }) };
  if (entry.pin !== undefined && entry.carrier !== 'edge') throw new TunnelError('USAGE', 'only an edge has a pin');
  const file = await withPolicy(context, (policy) => policy.allowDestination(entry));
  await noteInAudit(context, { kind: 'policy', event: 'allowed', entry: JSON.stringify(entry), file });
  context.output.event({ event: 'allowed', entry, file });
  context.output.line(`${sentence(entry, 'may')}, says ${file}.`);
}

export async function allowRemove(context: CommandContext, words: Words): Promise<void> {
  const entry = entryOf(words);
  const file = await withPolicy(context, (policy) => policy.removeDestination(entry));
  await noteInAudit(context, { kind: 'policy', event: 'removed', entry: JSON.stringify(entry), file });
  context.output.event({ event: 'removed', entry, file });
  context.output.line(`${sentence(entry, 'may no longer')}, says ${file}; it counts within a second.`);
}

/** Every file that governs this folder, since a destination must be in all of them. Throws `POLICY_INVALID`. */
export async function allowList(context: CommandContext): Promise<void> {
  const { output } = context;
  const { layers, problems } = await withPolicy(context, async (policy) => policy.current);
  const rows = layers.flatMap(({ origin, file, ...layer }) =>
    layer.kind === 'rules' ? (layer.policy.destinations ?? []).map((entry) => ({ origin, file, entry })) : [],
  );
  for (const row of rows) output.event({ event: 'destination', ...row });
  const [problem] = problems;
  if (problem) throw fromErrorInfo(problem); // What a file that cannot be read would have allowed is denied.
  output.table(
    ['DESTINATION', 'PIN', 'FILE'],
    rows.map(({ origin, file, entry }) => [describe(entry), entry.pin ?? '', `${file} (${origin})`]),
  );
}

/** What may be asked of somebody else, with a host as one would write it. */
const services = {
  'client-metadata': 'claude.ai',
  jwks: 'issuer.example.com',
  acme: 'acme-v02.api.letsencrypt.org',
  proxy: 'proxy.example.com:3128',
} as const;

/**
 * `embedded`, `edge HOST[:PORT]`, `client-metadata HOST[:PORT]`, which agents that pair may be looked up at,
 * `jwks HOST[:PORT]`, where an issuer's keys may be fetched, `acme HOST[:PORT]`, which may issue certificates, or
 * `proxy HOST[:PORT]`, which the way out may lead through.
 */
function entryOf([carrier, host]: Words): DestinationEntry {
  if (carrier === 'embedded') {
    if (host !== undefined) throw new TunnelError('USAGE', 'embedded is this machine itself and takes no host');
    return { carrier };
  }
  if (carrier === 'client-metadata' || carrier === 'jwks' || carrier === 'acme' || carrier === 'proxy') {
    if (host === undefined || !parseHostPattern(host)) {
      throw new TunnelError('USAGE', `name the host: ${carrier} ${services[carrier]}`);
    }
    return { service: carrier, host };
  }
  if (carrier !== 'edge')
    throw new TunnelError(
      'USAGE',
      `“${carrier ?? ''}” is nothing that can be allowed: use embedded, edge, client-metadata, jwks, acme or proxy`,
    );
  if (host === undefined) throw new TunnelError('USAGE', 'name the edge: edge edge.example.com');
  return { carrier, host: edgeHost(host) };
}

function sentence(entry: DestinationEntry, may: string): string {
  if (entry.service === 'jwks') return `Keys of issuers ${may} be fetched from ${entry.host ?? ''}`;
  if (entry.service === 'acme') return `Certificates ${may} be asked for at ${entry.host ?? ''}`;
  if (entry.service === 'proxy') return `The way out ${may} lead through the proxy ${entry.host ?? ''}`;
  if (entry.service !== undefined) return `Agents that ask to be let in ${may} be looked up at ${entry.host ?? ''}`;
  return `Tunnels ${may} go to ${describe(entry)}`;
}

function describe({ carrier, service, host, publicName }: DestinationEntry): string {
  return [carrier ?? service, host ?? publicName].filter((part) => part !== undefined).join(' ');
}

async function withPolicy<T>(context: CommandContext, use: (policy: PolicyStore) => Promise<T>): Promise<T> {
  const { files, clock, paths, folder } = context;
  const workspaces = [paths.workspacePolicy(folder)];
  const locations = { managed: paths.managedPolicy, user: paths.userPolicy, workspaces };
  const policy = new PolicyStore({ files, clock, locations });
  try {
    await policy.load();
    return await use(policy);
  } finally {
    policy.close();
  }
}
