// The tree "Agents": one row for each grant that still works, with how long, for what and how it came about; below it
// who calls with it, from where, and which servers it reaches. What ended is folded into one row.
import { printable } from '../core/printable.ts';
import type { AgentSeen, GrantInfo, TunnelInfo } from '../protocol/control.ts';
import { isLive, leftLabel, scopeLabel, scopeLines, wayLabel } from './grantWords.ts';
import type { Translate } from './translate.ts';
import type { TreeNode } from './treeNode.ts';
import { ageLabel, destinationLabel } from './wording.ts';

/** Rows of grants, live and ended, that are shown each; the others are counted in a last row. */
export const maxGrantsShown = 200;

export type AgentTreeInput = {
  grants: readonly GrantInfo[];
  tunnels: readonly TunnelInfo[];
  /** For the names of servers that no tunnel is open for. */
  servers: readonly { id: string; name: string }[];
  /** Whether this editor holds the text of a grant's token. */
  holds: (grant: string) => boolean;
};

export function agentTree(input: AgentTreeInput, nowMs: number, t: Translate): TreeNode[] {
  const live = input.grants
    .filter((grant) => isLive(grant, nowMs))
    .toSorted((left, right) => right.createdMs - left.createdMs);
  const ended = input.grants
    .filter((grant) => !isLive(grant, nowMs))
    .toSorted((left, right) => endOf(right) - endOf(left));
  return [
    ...live.slice(0, maxGrantsShown).map((grant) => grantNode(grant, input, nowMs, t)),
    ...moreNode('grants', live.length, t),
    ...endedNode(ended, nowMs, t),
  ];
}

function grantNode(grant: GrantInfo, input: AgentTreeInput, nowMs: number, t: Translate): TreeNode {
  const callers = input.tunnels.flatMap((tunnel) =>
    tunnel.agents.filter((agent) => agent.grant.id === grant.id).map((agent) => ({ agent, tunnel })),
  );
  const way = wayLabel(grant, t);
  const facts = [leftLabel(grant.expiresMs, nowMs, t), scopeLabel(grant.scope, t), ...(way ? [way] : [])];
  const subject = { kind: 'grant', grant } as const;
  return {
    id: `grant:${grant.id}`,
    label: printable(grant.name, 120),
    description: facts.join(' · '),
    tooltip: tooltip(grant, nowMs, t),
    icon: { name: iconOf(grant), ...(callers.length > 0 ? { color: 'charts.green' } : {}) },
    context: contextOf(grant, input.holds(grant.id)),
    subject,
    children: [
      ...(callers.length === 0 ? [nobodyNode(grant, t)] : []),
      ...callers.map(({ agent, tunnel }, index) => callerNode(grant, { agent, tunnel, index }, nowMs, t)),
      ...grant.scope.servers.map((server) => serverNode(grant, server, input, t)),
    ],
  };
}

function iconOf({ paired, way }: GrantInfo): string {
  if (paired) return 'account';
  switch (way?.kind) {
    case undefined:
      return 'key';
    case 'path-secret':
      return 'link';
    case 'certificate':
      return 'verified';
    case 'jwt':
      return 'shield';
  }
}

/** What has a token or a secret can be given another one; what this editor holds can be copied. */
function contextOf({ paired, way }: GrantInfo, held: boolean): string {
  if (paired) return 'grant.paired';
  if (way) return way.kind === 'path-secret' ? 'grant.secret' : 'grant.way';
  return held ? 'grant.token.held' : 'grant.token';
}

function tooltip(grant: GrantInfo, nowMs: number, t: Translate): string {
  const { name, paired, way, scope, createdMs, expiresMs } = grant;
  return [
    printable(name, 200),
    paired
      ? t('Paired: {0}, access went to {1}', printable(paired.client, 120), printable(paired.redirectHost, 120))
      : way
        ? t('Let in by: {0}', wayLabel(grant, t) ?? '')
        : t('Let in by a token'),
    ...scopeLines(scope, t),
    t('Made {0}, works until {1}', ageLabel(createdMs, nowMs, t), new Date(expiresMs).toLocaleString()),
  ].join('\n');
}

function nobodyNode(grant: GrantInfo, t: Translate): TreeNode {
  return {
    id: `grant:${grant.id}:nobody`,
    label: t('Not connected'),
    description: t('no call since its tunnel opened'),
    icon: { name: 'person' },
    children: [],
  };
}

type Caller = { agent: AgentSeen; tunnel: TunnelInfo; index: number };

function callerNode(grant: GrantInfo, { agent, tunnel, index }: Caller, nowMs: number, t: Translate): TreeNode {
  const calls = agent.calls === 1 ? t('1 call') : t('{0} calls', agent.calls);
  const refused = agent.refused > 0 ? [t('{0} refused', agent.refused)] : [];
  const age = ageLabel(agent.lastCallMs, nowMs, t);
  const name = printable(agent.name, 120);
  const visitor = printable(agent.visitor, 80);
  const address = visitor.replace(/^(\[.*\]|[^:]+):\d+$/, '$1'); // Its port says nothing and takes room.
  return {
    id: `grant:${grant.id}:caller:${tunnel.id}:${index}`,
    label: name,
    description: [address, calls, ...refused, age].join(' · '),
    tooltip: [
      t('{0}: the name that the agent gives itself', name),
      t('Calls {0} from {1}', tunnel.server.name, visitor),
      [calls, ...refused].join(' · '),
      t('Last call: {0}', age),
    ].join('\n'),
    icon: { name: 'person', color: 'charts.green' },
    children: [],
  };
}

function serverNode(grant: GrantInfo, server: string, { tunnels, servers }: AgentTreeInput, t: Translate): TreeNode {
  const id = `grant:${grant.id}:server:${server}`;
  if (server === '*') {
    const description = t('also those exposed later');
    return { id, label: t('Every exposed server'), description, icon: { name: 'server' }, children: [] };
  }
  const tunnel = tunnels.find((open) => open.server.id === server);
  const known = tunnel?.server ?? servers.find((other) => other.id === server);
  return {
    id,
    label: known ? known.name : t('A server of another workspace'),
    description: tunnel ? (tunnel.hostname ?? destinationLabel(tunnel.destination, t)) : t('not exposed'),
    tooltip: known ? (tunnel?.url ?? t('Not exposed: nobody outside can reach it.')) : server,
    icon: tunnel ? { name: 'broadcast', color: 'charts.green' } : { name: 'server' },
    children: [],
  };
}

function endedNode(ended: readonly GrantInfo[], nowMs: number, t: Translate): TreeNode[] {
  if (ended.length === 0) return [];
  const rows = ended.slice(0, maxGrantsShown).map((grant): TreeNode => ({
    id: `grant:${grant.id}`,
    label: printable(grant.name, 120),
    description:
      grant.revokedMs === undefined
        ? t('expired {0}', ageLabel(grant.expiresMs, nowMs, t))
        : t('revoked {0}', ageLabel(grant.revokedMs, nowMs, t)),
    tooltip: tooltip(grant, nowMs, t),
    icon: { name: grant.revokedMs === undefined ? 'history' : 'circle-slash' },
    context: 'grant.ended',
    subject: { kind: 'grant', grant },
    children: [],
  }));
  return [
    {
      id: 'grants:ended',
      label: t('Ended ({0})', ended.length),
      description: t('let nobody in any more'),
      icon: { name: 'archive' },
      folded: true,
      children: [...rows, ...moreNode('ended', ended.length, t)],
    },
  ];
}

function moreNode(of: 'grants' | 'ended', count: number, t: Translate): TreeNode[] {
  const more = count - maxGrantsShown;
  if (more <= 0) return [];
  return [{ id: `${of}:more`, label: t('and {0} more', more), icon: { name: 'ellipsis' }, children: [] }];
}

function endOf({ revokedMs, expiresMs }: GrantInfo): number {
  return revokedMs ?? expiresMs;
}
