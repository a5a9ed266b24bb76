// `mcp-tunnel agents add | list | rotate | revoke`: the grants, by which agents come in.
import { roughDuration } from '../core/duration.ts';
import { TunnelError } from '../core/errors.ts';
import { discover } from '../discovery/discover.ts';
import { anyServer } from '../identity/grants.ts';
import type { GrantInfo } from '../protocol/control.ts';
import type { CommandContext } from './command.ts';
import { withGrants } from './grantVerbs.ts';
import { writeSecret } from './secretText.ts';

export type AgentsAddOptions = {
  server?: string[];
  tools?: string[];
  readOnly?: boolean;
  expires: number;
  tokenFile?: string;
};

export async function agentsAdd(
  context: CommandContext,
  name: string | undefined,
  options: AgentsAddOptions,
): Promise<void> {
  const { tools, readOnly, expires } = options;
  const servers = options.server ? await serverIds(context, options.server) : [anyServer];
  const scope = { ...(tools ? { tools } : {}), ...(readOnly ? { readOnly } : {}) };
  const expiresMs = context.clock.now() + expires;
  const added = await withGrants(context, (grants) =>
    grants['grants/add']({ name: name ?? '', servers, scope, expiresMs }),
  );
  await showToken(context, 'added', added, options.tokenFile);
  context.output.log(`“${added.grant.name}” may call for ${roughDuration(expires)}. The token is shown this once.`);
}

export async function agentsList(context: CommandContext): Promise<void> {
  const { output, clock } = context;
  const { grants } = await withGrants(context, (verbs) => verbs['grants/list']({}));
  for (const grant of grants) output.event({ event: 'grant', ...grant });
  if (grants.length === 0) return output.line('No agent may call yet; add one with “mcp-tunnel agents add NAME”.');
  output.table(
    ['NAME', 'ID', 'SERVERS', 'TOOLS', 'STATE'],
    grants.map((grant) => [
      grant.name,
      grant.id,
      grant.scope.servers.includes(anyServer) ? 'any' : grant.scope.servers.join(' '),
      [grant.scope.tools?.join(' ') ?? 'any', ...(grant.scope.readOnly ? ['read only'] : [])].join(', '),
      stateOf(grant, clock.now()),
    ]),
  );
}

export async function agentsRotate(
  context: CommandContext,
  agent: string | undefined,
  options: { overlap: number; tokenFile?: string },
): Promise<void> {
  const rotated = await withGrants(context, async (grants) => {
    const { id } = pick((await grants['grants/list']({})).grants, agent ?? '', context.clock.now());
    return grants['grants/rotate']({ id, overlapMs: options.overlap });
  });
  await showToken(context, 'rotated', rotated, options.tokenFile);
  context.output.log(`The old token of “${rotated.grant.name}” works for ${roughDuration(options.overlap)} more.`);
}

export async function agentsRevoke(context: CommandContext, agent: string | undefined): Promise<void> {
  const { grant } = await withGrants(context, async (grants) => {
    const { id } = pick((await grants['grants/list']({})).grants, agent ?? '', context.clock.now());
    return grants['grants/revoke']({ id });
  });
  context.output.event({ event: 'revoked', grant });
  context.output.line(`“${grant.name}” is no longer let in.`);
}

/** By id, or by a name that only one grant has; of several with the name, the only one that still lets in. */
function pick(grants: readonly GrantInfo[], agent: string, nowMs: number): GrantInfo {
  const named = grants.filter((grant) => grant.id === agent || grant.name === agent);
  const live = named.filter((grant) => grant.revokedMs === undefined && grant.expiresMs > nowMs);
  const [found, ...others] = live.length > 0 ? live : named;
  if (!found) throw new TunnelError('NOT_FOUND', `there is no agent “${agent}”; “mcp-tunnel agents list” shows them`);
  if (others.length === 0) return found;
  const ids = [found, ...others].map(({ id }) => id).join(', ');
  throw new TunnelError('USAGE', `“${agent}” names several agents; say which by its id: ${ids}`);
}

/** Names and ids of servers that discovery finds here, as ids. */
async function serverIds({ folder, env }: CommandContext, wanted: readonly string[]): Promise<string[]> {
  const { servers } = await discover([folder], env);
  return wanted.map((name) => {
    if (name.startsWith('inline:')) return name; // A server that `expose` was given whole.
    const found = servers.filter((server) => server.name === name || server.id === name);
    if (found.length === 1 && found[0]) return found[0].id;
    if (found.length === 0) throw new TunnelError('NOT_FOUND', `no server “${name}” is defined in ${folder}`);
    const ids = found.map(({ id }) => id).join(', ');
    throw new TunnelError('USAGE', `“${name}” is defined more than once; name it by its id: ${ids}`);
  });
}

async function showToken(
  context: CommandContext,
  event: 'added' | 'rotated',
  { grant, token }: { grant: GrantInfo; token: string },
  tokenFile: string | undefined,
): Promise<void> {
  if (tokenFile !== undefined) await writeSecret(context, tokenFile, token);
  context.output.event({ event, grant, ...(tokenFile === undefined ? { token } : { tokenFile }) });
  context.output.line(tokenFile === undefined ? token : `The token is in ${tokenFile}.`);
}

function stateOf({ revokedMs, expiresMs }: GrantInfo, nowMs: number): string {
  if (revokedMs !== undefined) return `revoked ${roughDuration(nowMs - revokedMs)} ago`;
  return expiresMs <= nowMs ? 'expired' : `${roughDuration(expiresMs - nowMs)} left`;
}
