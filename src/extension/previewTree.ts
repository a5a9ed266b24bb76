// The rows below a server: what it offers, what that costs, and what is worth knowing before it is exposed. All of it was
// written by a stranger: it is shown as plain text, and characters that hide or turn text are shown as their codes.
import { findingRows, findingSentence, levelOf, type Finding, type FindingLevel } from '../mcp/preview/finding.ts';
import type { DiscoveredServer } from '../core/server.ts';
import type { ListCut } from '../mcp/preview/offer.ts';
import type { PreviewItem, PreviewList, PreviewTool, ServerPreview } from '../mcp/preview/preview.ts';
import { asSentence } from './advice.ts';
import { commandIds } from './commandIds.ts';
import { visible } from './launchText.ts';
import type { PreviewState } from './store.ts';
import type { Translate } from './translate.ts';
import type { TreeIcon, TreeNode } from './treeNode.ts';
import { ageLabel } from './wording.ts';

/** Rows of one list; the others are counted in a last one. */
export const maxOfferedShown = 500;
/** Characters of a description in its tooltip. */
const tooltipLength = 2_000;

export function previewNodes(server: DiscoveredServer, state: PreviewState, nowMs: number, t: Translate): TreeNode[] {
  switch (state.kind) {
    case 'consent':
      return [consentNode(server, t)];
    case 'untrusted':
      return [untrustedNode(server, t)];
    case 'failed':
      return [failureNode(server, state, t)];
    case 'loaded':
      return loadedNodes(server, state.preview, nowMs, t);
  }
}

function consentNode(server: DiscoveredServer, t: Translate): TreeNode {
  const runs = server.transport.kind === 'stdio';
  return {
    id: idOf(server, 'consent'),
    label: t('Show tools…'),
    description: runs ? t('starts the server') : t('asks the server'),
    tooltip: runs
      ? t('Nothing was run yet. Click to see what would be run, and to agree to it.')
      : t('It was not asked yet. Click to see the address that would be asked, and to agree to it.'),
    icon: { name: 'play-circle' },
    context: 'preview.consent',
    subject: { kind: 'server', server },
    click: { kind: 'command', command: commandIds.previewServer },
    children: [],
  };
}

function untrustedNode(server: DiscoveredServer, t: Translate): TreeNode {
  return {
    id: idOf(server, 'untrusted'),
    label: t('Restricted Mode: no server is run'),
    description: t('Manage Workspace Trust'),
    tooltip: t('What a server offers is shown in a workspace that you trust.'),
    icon: { name: 'shield' },
    click: { kind: 'command', command: 'workbench.trust.manage' },
    children: [],
  };
}

function failureNode(
  server: DiscoveredServer,
  { error }: Extract<PreviewState, { kind: 'failed' }>,
  t: Translate,
): TreeNode {
  const { stderr } = error.data ?? {};
  const words = Array.isArray(stderr) ? stderr.filter((line): line is string => typeof line === 'string') : [];
  return {
    id: idOf(server, 'error'),
    label: asSentence(shown(error.message)),
    description: t('Retry'),
    tooltip: [shown(error.message), ...words.map((line) => shown(line)), t('Click to try again.')].join('\n'),
    icon: { name: 'error', color: 'problemsErrorIcon.foreground' },
    context: 'preview.error',
    subject: { kind: 'server', server },
    click: { kind: 'command', command: commandIds.refreshPreview },
    children: [],
  };
}

function loadedNodes(server: DiscoveredServer, preview: ServerPreview, nowMs: number, t: Translate): TreeNode[] {
  const { tools, prompts, resources, templates, tokens, findings, takenMs } = preview;
  const toolWords = [t('≈ {0} tokens', tokens.toLocaleString('en')), ageLabel(takenMs, nowMs, t)];
  return [
    ...driftNodes(server, preview, nowMs, t),
    ...findings.map((finding, at) => findingNode(idOf(server, 'finding', at), finding, t)),
    listNode(
      {
        server,
        id: 'tools',
        icon: 'tools',
        label: t('Tools'),
        list: tools,
        words: toolWords,
        none: t('offers no tools'),
      },
      t,
    ),
    listNode(
      { server, id: 'prompts', icon: 'comment', label: t('Prompts'), list: prompts, none: t('offers no prompts') },
      t,
    ),
    listNode(
      {
        server,
        id: 'resources',
        icon: 'files',
        label: t('Resources'),
        list: resources,
        none: t('offers no resources'),
      },
      t,
    ),
    ...(templates.kind === 'absent' || (templates.kind === 'listed' && templates.items.length === 0)
      ? []
      : [
          listNode(
            {
              server,
              id: 'templates',
              icon: 'symbol-snippet',
              label: t('Resource templates'),
              list: templates,
              none: '',
            },
            t,
          ),
        ]),
  ];
}

type ListRow = {
  server: DiscoveredServer;
  id: string;
  icon: string;
  label: string;
  list: PreviewList<PreviewItem | PreviewTool>;
  /** Behind the count. */
  words?: string[];
  none: string;
};

function listNode({ server, id, icon, label, list, words = [], none }: ListRow, t: Translate): TreeNode {
  const node = { id: idOf(server, id), label, context: `preview.${id}`, subject: { kind: 'server', server } as const };
  if (list.kind === 'failed') {
    const tooltip = `${shown(list.reason)}\n${t('Click to try again.')}`;
    const click = { kind: 'command', command: commandIds.refreshPreview } as const;
    return { ...node, description: shown(list.reason, 120), tooltip, icon: errorIcon, click, children: [] };
  }
  const items = list.kind === 'listed' ? list.items : [];
  if (items.length === 0) return { ...node, description: none, icon: { name: icon }, children: [] };
  const marks = items.flatMap(({ findings }) => findings);
  const worst = worstOf(marks);
  const counted = [String(items.length), ...marked(items, t), ...words];
  const more = items.length - maxOfferedShown;
  return {
    ...node,
    description: counted.join(' · '),
    icon: worst === 'suspicious' ? warningIcon : { name: icon },
    folded: true,
    children: [
      ...(list.kind === 'listed' && list.cut ? [cutNode(idOf(server, id, 'cut'), list.cut, t)] : []),
      ...items.slice(0, maxOfferedShown).map((item, at) => itemNode(server, `${id}:${at}`, item, t)),
      ...(more > 0
        ? [{ id: idOf(server, id, 'more'), label: t('and {0} more', more), icon: { name: 'ellipsis' }, children: [] }]
        : []),
    ],
  };
}

/** How many of them look suspicious, and how many some client refuses. */
function marked(items: readonly PreviewItem[], t: Translate): string[] {
  const count = (level: FindingLevel): number => items.filter(({ findings }) => worstOf(findings) === level).length;
  const [suspicious, refused] = [count('suspicious'), count('refused')];
  return [
    ...(suspicious > 0 ? [t('{0} suspicious', suspicious)] : []),
    ...(refused > 0 ? [t('{0} refused by some clients', refused)] : []),
  ];
}

function itemNode(server: DiscoveredServer, place: string, item: PreviewItem | PreviewTool, t: Translate): TreeNode {
  const { name, definition, findings } = item;
  const { title, description } = definition;
  const worst = worstOf(findings);
  const words = 'tokens' in item ? [...hintWords(item, t), t('≈ {0} tokens', item.tokens.toLocaleString('en'))] : [];
  const text = typeof description === 'string' ? description : typeof title === 'string' ? title : '';
  const state = worst ? [levelWord(worst, t)] : [];
  return {
    id: idOf(server, place),
    label: shown(name, 120),
    description: [...state, ...(text === '' ? [] : [shown(text, 120)]), ...words].join(' · '),
    tooltip: [
      shown(name, 200),
      ...(typeof title === 'string' && title !== name ? [shown(title, 200)] : []),
      ...(text === '' ? [] : [paragraphs(text)]),
      words.join(' · '),
      ...findings.map((finding) => `⚠ ${sentenceOf(finding, t)}`),
      t('The server says so; nobody checked it.'),
    ]
      .filter(Boolean)
      .join('\n\n'),
    icon: worst === undefined ? hintIcon(item) : iconOf(worst),
    context: 'preview.item',
    subject: { kind: 'offered', server, item },
    folded: true,
    children: findings.map((finding, at) => findingNode(idOf(server, place, at), finding, t)),
  };
}

function driftNodes(server: DiscoveredServer, { drift }: ServerPreview, nowMs: number, t: Translate): TreeNode[] {
  if (!drift) return [];
  const { added, removed, changed, sinceMs } = drift;
  const count = added.length + removed.length + changed.length;
  const rows = [
    ...changed.map(({ name, parts }) => [
      shown(name, 120),
      t('changed: {0}', shown(parts.join(', '), 120)),
      'diff-modified',
    ]),
    ...added.map((name) => [shown(name, 120), t('new'), 'diff-added']),
    ...removed.map((name) => [shown(name, 120), t('gone'), 'diff-removed']),
  ];
  const label = count === 1 ? t('1 tool is not what it was') : t('{0} tools are not what they were', count);
  return [
    {
      id: idOf(server, 'drift'),
      label,
      description: t('since it was looked at {0}', ageLabel(sinceMs, nowMs, t)),
      tooltip: t('A server can show harmless tools first and others later. Look at what changed before agents use it.'),
      icon: warningIcon,
      folded: true,
      children: rows.slice(0, maxOfferedShown).map(([name = '', what = '', icon = ''], at) => ({
        id: idOf(server, 'drift', at),
        label: name,
        description: what,
        icon: { name: icon },
        children: [],
      })),
    },
  ];
}

function findingNode(id: string, finding: Finding, t: Translate): TreeNode {
  const sentence = sentenceOf(finding, t);
  const level = levelOf(finding);
  const row = findingRows[finding.rule];
  return {
    id,
    label: t(row.title),
    description: sentence,
    tooltip: [
      sentence,
      ...(level === 'suspicious' ? [t('A hint, not a proof. Texts without marks can be harmful as well.')] : []),
      ...('source' in row ? [t('Reported in {0}', row.source)] : []),
    ].join('\n'),
    icon: iconOf(level),
    children: [],
  };
}

function cutNode(id: string, cut: ListCut, t: Translate): TreeNode {
  const label = {
    pages: t('The list is longer: it has more pages than are read'),
    items: t('The list is longer than what is read'),
    'same-cursor': t('The server repeats itself: it gave the same page again'),
  }[cut];
  return { id, label, icon: warningIcon, children: [] };
}

function sentenceOf(finding: Finding, t: Translate): string {
  return findingSentence(finding, (sentence, ...words) => t(sentence, ...words.map((word) => shown(word, 200))));
}

const warningIcon: TreeIcon = { name: 'warning', color: 'problemsWarningIcon.foreground' };
const errorIcon: TreeIcon = { name: 'error', color: 'problemsErrorIcon.foreground' };
const infoIcon: TreeIcon = { name: 'info', color: 'problemsInfoIcon.foreground' };

function iconOf(level: FindingLevel): TreeIcon {
  return level === 'suspicious' ? warningIcon : infoIcon;
}

function levelWord(level: FindingLevel, t: Translate): string {
  switch (level) {
    case 'suspicious':
      return t('suspicious');
    case 'refused':
      return t('refused by some clients');
    case 'degraded':
      return t('cut short by some clients');
  }
}

function worstOf(findings: readonly Finding[]): FindingLevel | undefined {
  const levels = new Set(findings.map(levelOf));
  return (['suspicious', 'refused', 'degraded'] as const).find((level) => levels.has(level));
}

/** What it says of itself; a tool that says nothing counts as one that changes things. */
function hintWords({ hints }: PreviewTool, t: Translate): string[] {
  const { readOnlyHint, destructiveHint, idempotentHint, openWorldHint } = hints;
  return [
    ...(readOnlyHint ? [t('read-only')] : []),
    ...(destructiveHint ? [t('destructive')] : []),
    ...(idempotentHint ? [t('repeatable')] : []),
    ...(openWorldHint ? [t('reaches other systems')] : []),
  ];
}

function hintIcon(item: PreviewItem | PreviewTool): TreeIcon {
  if (!('hints' in item)) return { name: 'circle-small' };
  if (item.hints.readOnlyHint) return { name: 'eye' };
  return item.hints.destructiveHint ? { name: 'flame' } : { name: 'symbol-method' };
}

/** On one line, with everything that hides or turns text as its code. */
function shown(text: string, maxLength = 300): string {
  const flat = visible(
    text
      .slice(0, maxLength + 1)
      .replace(/\s+/g, ' ')
      .trim(),
  );
  return flat.length > maxLength ? `${flat.slice(0, maxLength)}…` : flat;
}

function paragraphs(text: string): string {
  const lines = text.slice(0, tooltipLength).split(/\r?\n/).slice(0, 40);
  return `${lines.map((line) => visible(line)).join('\n')}${text.length > tooltipLength ? '…' : ''}`;
}

function idOf(server: DiscoveredServer, ...place: (string | number)[]): string {
  return ['offer', server.id, ...place].join(':');
}
