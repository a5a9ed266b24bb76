// `mcp-tunnel agents add | list | change | rotate | revoke`: the grants, by which agents come in.
import { roughDuration } from '../core/duration.ts';
import { TunnelError } from '../core/errors.ts';
import { anyServer } from '../identity/grants.ts';
import { secretPath } from '../identity/way.ts';
import type { GrantInfo, TunnelInfo } from '../protocol/control.ts';
import type { CommandContext } from './command.ts';
import { withGrants } from './grantVerbs.ts';
import { changedScope, namesScope, scopeOf, scopeWords, type ScopeOptions } from './scopeOptions.ts';
import { writeSecret } from './secretText.ts';
import { serverIds, serverWords } from './serverNames.ts';
import { urlsAt, wayOf, wayWords, type WayOptions } from './wayOptions.ts';

export type AgentsAddOptions = ScopeOptions & WayOptions & { server?: string[]; expires: number; tokenFile?: string };

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
  const way = await wayOf(context, options);
  const wanted = { name: name ?? '', servers, scope, expiresMs };
  if (way && way.kind !== 'path-secret' && options.tokenFile !== undefined) {
    throw new TunnelError('USAGE', 'such an agent gets nothing to write into a file: leave out --token-file');
  }
  const { grant, told, before } = await withGrants(context, async (grants) => {
    const before = (await grants['grants/list']({})).grants;
    if (!way) return { ...toldOf(await grants['grants/add'](wanted)), before };
    const added = await grants['grants/addWay']({ ...wanted, way });
    if (added.path === undefined) return { grant: added.grant, told: undefined, before };
    return { grant: added.grant, told: pathTold(added.path, added.grant, await grants['tunnel/list']({})), before };
  });
  await show(context, 'added', grant, told, options.tokenFile);
  const { output, clock } = context;
  const once = options.tokenFile === undefined ? ` ${told?.what} is shown this once.` : '';
  const how = told ? once : ` It is let in by its ${wayWords(grant)}.`;
  output.log(`“${grant.name}” may call for ${roughDuration(expires)}.${how}`);
  if (before.some((other) => other.name === grant.name && letsIn(other, clock.now()))) {
    output.log(`Another agent has that name, too: change, rotate and revoke this one by its id, ${grant.id}.`);
  }
  if (way?.kind !== 'jwt') return;
  const { host } = new URL(way.jwks ?? way.issuer);
  output.log(`Its issuer’s keys are fetched only where that is allowed: mcp-tunnel allow add jwks ${host}`);
}

/** Those that have ended are counted, and shown with `all`; with `--json` they are always there. */
export async function agentsList(context: CommandContext, { all = false }: { all?: boolean } = {}): Promise<void> {
  const { output, clock } = context;
  const { grants, words } = await withGrants(context, async (verbs) => ({
    ...(await verbs['grants/list']({})),
    words: await serverWords(context, verbs),
  }));
  for (const grant of grants) output.event({ event: 'grant', ...grant });
  const live = grants.filter((grant) => letsIn(grant, clock.now()));
  const shown = all ? [...live, ...grants.filter((grant) => !live.includes(grant))] : live;
  const hidden = grants.length - shown.length;
  const more = `${hidden} that ${hidden === 1 ? 'has' : 'have'} ended: “mcp-tunnel agents list --all”.`;
  if (shown.length === 0) {
    output.line('No agent may call; add one with “mcp-tunnel agents add NAME”.');
    if (hidden > 0) output.line(more);
    return;
  }
  output.table(
    ['NAME', 'ID', 'SERVERS', 'MAY USE', 'COMES BY', 'STATE'],
    shown.map((grant) => [
      grant.name,
      grant.id,
      words(grant.scope.servers),
      scopeWords(grant.scope),
      wayWords(grant),
      stateOf(grant, clock.now()),
    ]),
  );
  if (hidden > 0) output.line(more);
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
      ...(changesScope ? { scope, before: old } : {}),
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
  const { grant, told } = await withGrants(context, async (grants) => {
    const { id } = pick((await grants['grants/list']({})).grants, agent ?? '', context.clock.now());
    const rotated = await grants['grants/rotate']({ id, overlapMs: options.overlap });
    if (rotated.grant.way?.kind !== 'path-secret') return toldOf(rotated);
    const told = pathTold(secretPath(rotated.token), rotated.grant, await grants['tunnel/list']({}));
    return { grant: rotated.grant, told };
  });
  await show(context, 'rotated', grant, told, options.tokenFile);
  context.output.log(`What “${grant.name}” had before works for ${roughDuration(options.overlap)} more.`);
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
  const live = named.filter((grant) => letsIn(grant, nowMs));
  const [found, ...others] = live.length > 0 ? live : named;
  if (!found) throw new TunnelError('NOT_FOUND', `there is no agent “${agent}”; “mcp-tunnel agents list” shows them`);
  if (others.length === 0) return found;
  const ids = [found, ...others].map(({ id }) => id).join(', ');
  throw new TunnelError('USAGE', `“${agent}” names several agents; say which by its id: ${ids}`);
}

/** What is said once: a token, or the URLs with a secret in them (its path, where no tunnel is open). */
type Told = { what: string; lines: readonly string[]; event: Record<string, unknown> };

function toldOf({ grant, token }: { grant: GrantInfo; token: string }): { grant: GrantInfo; told: Told | undefined } {
  return { grant, told: { what: 'The token', lines: [token], event: { token } } };
}

function pathTold(path: string, grant: GrantInfo, { tunnels }: { tunnels: TunnelInfo[] }): Told {
  const urls = urlsAt(path, grant, tunnels);
  return {
    what: urls.length > 0 ? 'The URL' : 'What the URL has in place of /mcp',
    lines: urls.length > 0 ? urls : [path],
    event: { path, urls },
  };
}

async function show(
  context: CommandContext,
  event: 'added' | 'rotated',
  grant: GrantInfo,
  told: Told | undefined,
  tokenFile: string | undefined,
): Promise<void> {
  const { output } = context;
  if (!told) {
    output.event({ event, grant });
    return;
  }
  if (tokenFile !== undefined) await writeSecret(context, tokenFile, told.lines.join('\n'));
  output.event({ event, grant, ...(tokenFile === undefined ? told.event : { tokenFile }) });
  if (tokenFile === undefined) for (const line of told.lines) output.line(line);
  else output.line(`${told.what} is in ${tokenFile}.`);
}

function letsIn({ revokedMs, expiresMs }: GrantInfo, nowMs: number): boolean {
  return revokedMs === undefined && expiresMs > nowMs;
}

function stateOf({ revokedMs, expiresMs }: GrantInfo, nowMs: number): string {
  if (revokedMs !== undefined) return `revoked ${roughDuration(nowMs - revokedMs)} ago`;
  return expiresMs <= nowMs ? 'expired' : `${roughDuration(expiresMs - nowMs)} left`;
}
