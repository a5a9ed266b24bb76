// The rows "Tools" below a tunnel: what its server offers, and below each tool what every agent may do with it and which
// rule says so. The server is asked when the row is opened; what it names is a stranger's text.
import { printable } from '../core/printable.ts';
import type { ToolRow, ToolRules, ToolVerdict, TunnelInfo } from '../protocol/control.ts';
import { commandIds } from './commandIds.ts';
import type { ToolsState } from './store.ts';
import type { Translate } from './translate.ts';
import type { TreeIcon, TreeNode } from './treeNode.ts';

/** Tools that are shown; the others are counted in a last row, and the rules hold for them all the same. */
export const maxToolsShown = 1_000;
/** Agents below each tool, for the same reason. */
export const maxAgentsShown = 50;
const maxUnknownShown = 20;

export function toolNodes(tunnel: TunnelInfo, state: ToolsState | undefined, t: Translate): TreeNode[] {
  if (!tunnel.url) return [];
  const node: TreeNode = {
    id: `tunnel:${tunnel.id}:tools`,
    label: t('Tools'),
    icon: { name: 'tools' },
    context: 'tools',
    subject: { kind: 'tunnel', tunnel },
    folded: true,
    children: [],
  };
  if (!state) return [{ ...node, description: t('who may use what'), pending: true }];
  if (state.kind === 'failed')
    return [{ ...node, description: t('cannot be listed'), children: [failure(tunnel, state, t)] }];
  return [{ ...node, description: summary(state.rules, t), children: rows(tunnel, state.rules, t) }];
}

function failure(tunnel: TunnelInfo, { error }: Extract<ToolsState, { kind: 'failed' }>, t: Translate): TreeNode {
  return {
    id: `tunnel:${tunnel.id}:tools:error`,
    label: printable(error.message),
    description: t('Retry'),
    tooltip: `${printable(error.message)}\n${t('Click to ask the server again.')}`,
    icon: { name: 'error', color: 'problemsErrorIcon.foreground' },
    subject: { kind: 'tunnel', tunnel },
    click: { kind: 'command', command: commandIds.refreshTools },
    children: [],
  };
}

function summary({ tools, agents }: ToolRules, t: Translate): string {
  const count = tools.length === 1 ? t('1 tool') : t('{0} tools', tools.length);
  const denied = tools.filter(({ verdicts }) => verdicts.some(({ kind }) => kind === 'denied')).length;
  if (agents.length === 0) return [count, t('no agent may call')].join(' · ');
  return denied === 0 ? count : [count, t('{0} restricted', denied)].join(' · ');
}

function rows(tunnel: TunnelInfo, rules: ToolRules, t: Translate): TreeNode[] {
  const more = rules.tools.length - maxToolsShown;
  const seen = new Map<string, number>();
  return [
    ...unknownNodes(tunnel, rules, t),
    ...rules.tools.slice(0, maxToolsShown).map((tool) => {
      // A server may name two tools alike; two rows of one id would break the tree.
      const nth = (seen.get(tool.name) ?? 0) + 1;
      seen.set(tool.name, nth);
      return toolNode(tunnel, rules, tool, `tunnel:${tunnel.id}:tool:${nth}:${tool.name}`, t);
    }),
    ...(more > 0 ? [moreNode(`tunnel:${tunnel.id}:tools:more`, more, t)] : []),
    ...(rules.tools.length === 0 ? [noToolsNode(tunnel, t)] : []),
  ];
}

function toolNode(tunnel: TunnelInfo, { agents }: ToolRules, tool: ToolRow, id: string, t: Translate): TreeNode {
  const denied = tool.verdicts.filter(({ kind }) => kind === 'denied').length;
  const more = agents.length - maxAgentsShown;
  const subject = { kind: 'tool', tunnel, tool: tool.name } as const;
  return {
    id,
    label: printable(tool.name, 120),
    description: [toolAccess(denied, agents.length, t), ...(tool.readOnly ? [t('read-only')] : [])].join(' · '),
    tooltip: [
      printable(tool.name, 200),
      tool.readOnly
        ? t('The server says that it changes nothing.')
        : t('It may change things: the server does not say otherwise.'),
    ].join('\n'),
    icon: toolIcon(tool, denied, agents.length),
    context: denied === 0 ? 'tool.allowed' : denied === agents.length ? 'tool.denied' : 'tool.mixed',
    subject,
    folded: true,
    children: [
      ...agents.slice(0, maxAgentsShown).map((agent, index) => {
        const verdict = tool.verdicts[index] ?? notJudged;
        return verdictNode({ id: `${id}:${agent.grant}`, agent, verdict, subject }, t);
      }),
      ...(more > 0 ? [moreNode(`${id}:more`, more, t)] : []),
    ],
  };
}

/** Of an agent that the answer forgot: unknown means no. */
const notJudged: ToolVerdict = { kind: 'denied', rule: '', reason: '', because: 'rule' };

function toolAccess(denied: number, agents: number, t: Translate): string {
  if (agents === 0) return t('no agent');
  if (denied === 0) return t('allowed');
  return denied === agents ? t('denied') : t('denied for {0} of {1}', denied, agents);
}

const allowedIcon: TreeIcon = { name: 'pass', color: 'charts.green' };
/** Allowed, and it says that it changes nothing. */
const readOnlyIcon: TreeIcon = { name: 'eye', color: 'charts.green' };
const mixedIcon: TreeIcon = { name: 'circle-slash', color: 'charts.yellow' };
const deniedIcon: TreeIcon = { name: 'circle-slash', color: 'charts.red' };

function toolIcon({ readOnly }: ToolRow, denied: number, agents: number): TreeIcon {
  if (agents === 0) return { name: 'circle-outline' };
  if (denied === 0) return readOnly ? readOnlyIcon : allowedIcon;
  return denied === agents ? deniedIcon : mixedIcon;
}

type VerdictRow = {
  id: string;
  agent: ToolRules['agents'][number];
  verdict: ToolVerdict;
  subject: Extract<TreeNode['subject'], { kind: 'tool' }>;
};

function verdictNode({ id, agent, verdict, subject }: VerdictRow, t: Translate): TreeNode {
  const name = printable(agent.name, 120);
  const mode = agent.readOnly ? '.readOnly' : '';
  const node = {
    id,
    label: name,
    subject: { ...subject, agent: { grant: agent.grant, name: agent.name } },
    children: [],
  };
  if (verdict.kind === 'allowed') {
    const words = [t('allowed'), ...(verdict.conditional ? [t('some arguments are refused')] : [])];
    return {
      ...node,
      description: [...words, ...(agent.readOnly ? [t('read-only agent')] : [])].join(' · '),
      tooltip: `${name}: ${words.join(', ')}`,
      icon: agent.readOnly ? readOnlyIcon : allowedIcon,
      context: `verdict.allowed${mode}`,
    };
  }
  return {
    ...node,
    description: [t('denied'), deniedBecause(verdict, t)].filter(Boolean).join(' · '),
    tooltip: [`${name}: ${printable(verdict.reason)}`, printable(verdict.rule)].filter(Boolean).join('\n'),
    icon: verdict.because === 'read-only' ? { name: 'eye', color: 'charts.red' } : deniedIcon,
    context: `verdict.denied.${verdict.because}${mode}`,
  };
}

function deniedBecause(verdict: Extract<ToolVerdict, { kind: 'denied' }>, t: Translate): string {
  switch (verdict.because) {
    case 'grant':
      return t('its grant does not name it');
    case 'read-only':
      return t('the agent is read-only');
    case 'rule':
      return printable(verdict.rule, 200);
  }
}

function unknownNodes(tunnel: TunnelInfo, { unknownNames }: ToolRules, t: Translate): TreeNode[] {
  const more = unknownNames.length - maxUnknownShown;
  const warnings = unknownNames.slice(0, maxUnknownShown).map(({ name, rule }, index): TreeNode => ({
    id: `tunnel:${tunnel.id}:unknown:${index}`,
    label: t('{0}: no such tool', printable(name, 120)),
    description: printable(rule, 200),
    tooltip: t(
      '{0} names “{1}”, which {2} does not have: most likely a slip of the pen.',
      printable(rule),
      name,
      tunnel.server.name,
    ),
    icon: { name: 'warning', color: 'problemsWarningIcon.foreground' },
    children: [],
  }));
  return more > 0 ? [...warnings, moreNode(`tunnel:${tunnel.id}:unknown:more`, more, t)] : warnings;
}

function noToolsNode(tunnel: TunnelInfo, t: Translate): TreeNode {
  return {
    id: `tunnel:${tunnel.id}:tools:none`,
    label: t('The server offers no tool'),
    icon: { name: 'info' },
    children: [],
  };
}

function moreNode(id: string, more: number, t: Translate): TreeNode {
  return { id, label: t('and {0} more', more), icon: { name: 'ellipsis' }, children: [] };
}
