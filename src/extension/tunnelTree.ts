// The tree "Tunnels": one row for each tunnel with its state and how busy it is; below it what is wrong, the hostname,
// where it goes out to, who came, and who may use which tool.
import { formatDuration } from '../core/duration.ts';
import type { HeldCall } from '../mcp/heldCall.ts';
import type { AgentSeen, TunnelInfo, TunnelState } from '../protocol/control.ts';
import { advise } from './advice.ts';
import { certificateLines, certificateNodes } from './certificateTree.ts';
import { commandIds } from './commandIds.ts';
import { holdNodes } from './holdTree.ts';
import { pairingNodes } from './pairingTree.ts';
import type { ToolsState } from './store.ts';
import { toolNodes } from './toolTree.ts';
import type { Translate } from './translate.ts';
import type { TreeIcon, TreeNode } from './treeNode.ts';
import { ageLabel, destinationLabel, privacyLabel, stateLabel } from './wording.ts';

/** Of a list of networks. */
const maxShownAddresses = 3;

/** `tools`: what each tunnel's server answered last, where somebody looked. `inChat`: servers that VS Code's chat may use. */
export function tunnelTree(
  tunnels: readonly TunnelInfo[],
  tools: ReadonlyMap<string, ToolsState>,
  nowMs: number,
  t: Translate,
  inChat: (server: string) => boolean = () => false,
  held: readonly HeldCall[] = [],
): TreeNode[] {
  return tunnels.map((tunnel) => {
    const plain = tunnelNode(tunnel, tools.get(tunnel.id), nowMs, t);
    const node = { ...plain, children: [...holdNodes(tunnel, held, nowMs, t), ...plain.children] };
    return tunnel.url && inChat(tunnel.server.id) ? { ...node, context: 'tunnel.ready+chat' } : node;
  });
}

function tunnelNode(tunnel: TunnelInfo, tools: ToolsState | undefined, nowMs: number, t: Translate): TreeNode {
  const state = stateLabel(tunnel.state, nowMs, t);
  const facts = [
    ...(tunnel.agents.length > 0 ? [agentCount(tunnel, t)] : []),
    t('{0}/min', tunnel.callsPerMinute),
    ...(tunnel.lastExchangeMs === undefined ? [] : [ageLabel(tunnel.lastExchangeMs, nowMs, t)]),
  ];
  return {
    id: `tunnel:${tunnel.id}`,
    label: tunnel.server.name,
    description: [state, ...fewerLinks(tunnel, t), ...facts].join(' · '),
    tooltip: tooltip(tunnel, state, nowMs, t),
    icon: stateIcon(tunnel.state),
    context: tunnel.url ? 'tunnel.ready' : 'tunnel',
    subject: { kind: 'tunnel', tunnel },
    children: [
      ...problemNodes(tunnel, t),
      ...certificateNodes(tunnel, t),
      ...pairingNodes(tunnel, nowMs, t),
      ...urlNodes(tunnel, t),
      destinationNode(tunnel, t),
      ...letInNodes(tunnel, t),
      ...agentNodes(tunnel, nowMs, t),
      ...toolNodes(tunnel, tools, t),
    ],
  };
}

/** Said while some are missing: the tunnel works, and a cut would hit more agents. */
function fewerLinks({ state, links }: TunnelInfo, t: Translate): string[] {
  if (state.kind !== 'connected' || !links || links.up >= links.wanted) return [];
  return [t('{0} of {1} links', links.up, links.wanted)];
}

function tooltip(tunnel: TunnelInfo, state: string, nowMs: number, t: Translate): string {
  const lines = [
    `${tunnel.server.name}: ${state}`,
    ...(tunnel.url ? [tunnel.url] : []),
    `${destinationLabel(tunnel.destination, t)}, ${privacyLabel(tunnel.privacy, t)}`,
    ...(tunnel.links ? [t('{0} of {1} links', tunnel.links.up, tunnel.links.wanted)] : []),
    ...certificateLines(tunnel, t),
    t('Open for {0}', formatDuration(Math.floor((nowMs - tunnel.openedMs) / 60_000) * 60_000)),
    agentCount(tunnel, t),
    t('Calls per minute: {0}', tunnel.callsPerMinute),
    tunnel.lastExchangeMs === undefined
      ? t('No call has been answered yet')
      : t('Last answer: {0}', ageLabel(tunnel.lastExchangeMs, nowMs, t)),
  ];
  return lines.join('\n');
}

function agentCount({ agents }: TunnelInfo, t: Translate): string {
  return agents.length === 1 ? t('1 agent') : t('{0} agents', agents.length);
}

function stateIcon(state: TunnelState): TreeIcon {
  switch (state.kind) {
    case 'connected':
      return { name: 'broadcast', color: 'charts.green' };
    case 'starting':
    case 'connecting':
      return { name: 'loading~spin' };
    case 'waiting':
      return { name: 'warning', color: 'problemsWarningIcon.foreground' };
    case 'failed':
      return { name: 'error', color: 'problemsErrorIcon.foreground' };
    case 'stopped':
      return { name: 'circle-outline' };
  }
}

function problemNodes(tunnel: TunnelInfo, t: Translate): TreeNode[] {
  const { state } = tunnel;
  if (state.kind !== 'waiting' && state.kind !== 'failed') return [];
  const { text, button } = advise(state.error, t);
  const click = button.kind === 'openFile' ? ({ ...button, kind: 'open' } as const) : button;
  return [
    {
      id: `tunnel:${tunnel.id}:error`,
      label: state.error.message,
      description: button.title,
      tooltip: text,
      icon: { name: 'error', color: 'problemsErrorIcon.foreground' },
      context: 'tunnel.error',
      ...(click.kind === 'copy' ? {} : { click }),
      subject: { kind: 'tunnel', tunnel },
      children: [],
    },
  ];
}

function urlNodes(tunnel: TunnelInfo, t: Translate): TreeNode[] {
  if (!tunnel.url) return [];
  return [
    {
      id: `tunnel:${tunnel.id}:url`,
      label: tunnel.hostname ?? tunnel.url,
      tooltip: tunnel.loopbackUrl ? `${tunnel.url}\n${t('Also: {0}', tunnel.loopbackUrl)}` : tunnel.url,
      icon: { name: 'link' },
      context: 'tunnel.url',
      subject: { kind: 'tunnel', tunnel },
      children: [],
    },
  ];
}

function destinationNode(tunnel: TunnelInfo, t: Translate): TreeNode {
  const machineOnly = tunnel.destination.carrier === 'embedded';
  return {
    id: `tunnel:${tunnel.id}:destination`,
    label: destinationLabel(tunnel.destination, t),
    description: privacyLabel(tunnel.privacy, t),
    tooltip: machineOnly
      ? t('Only agents on this machine can reach it.')
      : t('Agents anywhere can reach it, if they hold a token.'),
    icon: { name: machineOnly ? 'vm' : 'globe' },
    children: [],
  };
}

/** Whose addresses may connect, where that is limited. */
function letInNodes(tunnel: TunnelInfo, t: Translate): TreeNode[] {
  const { allowFrom } = tunnel;
  if (!allowFrom) return [];
  const few = allowFrom.slice(0, maxShownAddresses).join(', ');
  const more = allowFrom.length - maxShownAddresses;
  return [
    {
      id: `tunnel:${tunnel.id}:let-in`,
      label: t('Lets in only {0}', more > 0 ? t('{0} and {1} more', few, more) : few),
      tooltip: t('Everybody else is closed out by the edge before it answers a byte.'),
      icon: { name: 'shield' },
      subject: { kind: 'tunnel', tunnel },
      click: { kind: 'command', command: commandIds.letIn },
      children: [],
    },
  ];
}

function agentNodes(tunnel: TunnelInfo, nowMs: number, t: Translate): TreeNode[] {
  if (!tunnel.url) return [];
  if (tunnel.agents.length === 0) {
    return [
      {
        id: `tunnel:${tunnel.id}:no-agents`,
        label: t('No agent has called yet'),
        description: t('copy its configuration'),
        icon: { name: 'person' },
        context: 'tunnel.no-agents',
        subject: { kind: 'tunnel', tunnel },
        click: { kind: 'command', command: commandIds.copyClientConfig },
        children: [],
      },
    ];
  }
  return tunnel.agents.map((agent, index) => agentNode(tunnel, agent, index, nowMs, t));
}

function agentNode(tunnel: TunnelInfo, agent: AgentSeen, index: number, nowMs: number, t: Translate): TreeNode {
  const calls = agent.calls === 1 ? t('1 call') : t('{0} calls', agent.calls);
  const refused = agent.refused > 0 ? [t('{0} refused', agent.refused)] : [];
  return {
    id: `tunnel:${tunnel.id}:agent:${index}`,
    label: agent.name,
    description: [calls, ...refused, ageLabel(agent.lastCallMs, nowMs, t)].join(' · '),
    tooltip: `${t('Grant: {0}', agent.grant.name)}\n${t('Calls from {0}', agent.visitor)}`,
    icon: { name: 'person' },
    children: [],
  };
}
