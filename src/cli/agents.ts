// `mcp-tunnel agents add | list | change | rotate | revoke`: the grants, by which agents come in.
import { roughDuration } from '../core/duration.ts';
import { TunnelError } from '../core/errors.ts';
import { anyServer } from '../identity/grants.ts';
import type { GrantInfo } from '../protocol/control.ts';
import type { CommandContext } from './command.ts';
import { withGrants } from './grantVerbs.ts';
import { changedScope, namesScope, scopeOf, scopeWords, type ScopeOptions } from './scopeOptions.ts';
import { writeSecret } from './secretText.ts';
import { serverIds, serverWords } from './serverNames.ts';

export type AgentsAddOptions = ScopeOptions & { server?: string[]; expires: number; tokenFile?: string };

/** `all` drops the lists that the grant has, before the others are read. */
export type AgentsChangeOptions = ScopeOptions & { server?: string[]; expires?: number; all?: boolean };

export async function agentsAdd(
  context: CommandContext,
  name: string | undefined,
  options: AgentsAddOptions,
): Promise<void> {
  const { expires } = options;
  const servers = options.server ? await serverIds(context, options.server) : [anyServer];
  const scope = scopeOf(options);
  const expiresMs = context.clock.now() + expires;
  const added = await withGrants(context, (grants) =>
    grants['grants/add']({ name: name ?? '', servers, scope, expiresMs }),
  );
  await showToken(context, 'added', added, options.tokenFile);
  context.output.log(`“${added.grant.name}” may call for ${roughDuration(expires)}. The token is shown this once.`);
}

export async function agentsList(context: CommandContext): Promise<void> {
  const { output, clock } = context;
  const { grants, words } = await withGrants(context, async (verbs) => ({
    ...(await verbs['grants/list']({})),
    words: await serverWords(context, verbs),
  }));
  for (const grant of grants) output.event({ event: 'grant', ...grant });
  if (grants.length === 0) return output.line('No agent may call yet; add one with “mcp-tunnel agents add NAME”.');
  output.table(
    ['NAME', 'ID', 'SERVERS', 'MAY USE', 'STATE'],
    grants.map((grant) => [
      grant.name,
      grant.id,
      words(grant.scope.servers),
      scopeWords(grant.scope),
      stateOf(grant, clock.now()),
    ]),
  );
}

export async function agentsChange(
  context: CommandContext,
  agent: string | undefined,
  options: AgentsChangeOptions,
): Promise<void> {
  const { all, server, expires } = options;
  const changesScope = namesScope(options) || all === true || server !== undefined;
  if (!changesScope && expires === undefined) {
    throw new TunnelError('USAGE', 'say what is to change; “mcp-tunnel agents change --help” lists it');
  }
  const servers = server ? await serverIds(context, server) : undefined;
  const { grant } = await withGrants(context, async (verbs) => {
    const { id, scope: old } = pick((await verbs['grants/list']({})).grants, agent ?? '', context.clock.now());
    const kept = all ? { readOnly: old.readOnly ?? false } : old;
    const scope = { ...changedScope(kept, options), ...(servers ? { servers } : {}) };
    return verbs['grants/change']({
      id,
      ...(changesScope ? { scope } : {}),
      ...(expires === undefined ? {} : { expiresMs: context.clock.now() + expires }),
    });
  });
  context.output.event({ event: 'changed', grant });
  context.output.line(`“${grant.name}” may use: ${scopeWords(grant.scope)}; ${stateOf(grant, context.clock.now())}.`);
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
