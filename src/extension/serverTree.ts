// The tree "Servers": one row for each file of the workspace that defines MCP servers, its servers and its problems below
// it; then what is developed here, what runs already, and what the user has for every workspace.
import { basename, dirname, relative } from 'node:path';
import type { DiscoveredServer, DiscoveryProblem, ServerList } from '../core/server.ts';
import type { TunnelInfo } from '../protocol/control.ts';
import { commandLine } from './launchText.ts';
import { previewNodes } from './previewTree.ts';
import type { PreviewState } from './store.ts';
import type { Translate } from './translate.ts';
import type { TreeNode } from './treeNode.ts';

export type ServerTreeInput = {
  list: ServerList | undefined;
  tunnels: readonly TunnelInfo[];
  /** The workspace's folders: paths are shown from there. */
  folders: readonly string[];
  /** By server, of those that somebody looked at. */
  previews: ReadonlyMap<string, PreviewState>;
  nowMs: number;
};

export function serverTree({ list, tunnels, folders, previews, nowMs }: ServerTreeInput, t: Translate): TreeNode[] {
  if (!list) return [];
  const exposed = new Set(tunnels.map(({ server }) => server.id));
  const node = (server: DiscoveredServer): TreeNode => ({
    ...serverNode(server, exposed.has(server.id), t),
    ...offered(server, previews.get(server.id), nowMs, t),
  });
  const guessed = list.servers.filter(({ guess }) => guess);
  const running = list.servers.filter((server) => server.running);
  const declared = list.servers.filter((server) => !server.guess && !server.running);
  const own = declared.filter(({ source }) => source.scope === 'user');
  const ownFiles = new Set(own.map(({ source }) => source.file));
  const here = declared.filter(({ source }) => source.scope !== 'user');
  const isHere = (file: string): boolean => folders.some((folder) => shortPath(file, [folder]) !== file);
  const ofUser = ({ file }: DiscoveryProblem): boolean => ownFiles.has(file) || !isHere(file);
  const filesOf = (servers: readonly DiscoveredServer[], problems: readonly DiscoveryProblem[]): TreeNode[] =>
    fileNodes(servers, problems, folders, node, t);
  return [
    ...filesOf(
      here,
      list.problems.filter((problem) => !ofUser(problem)),
    ),
    ...group('developed', t('Developed here'), 'beaker', guessed.map(node), t('by our guess')),
    ...group('running', t('Running'), 'pulse', running.map(node)),
    ...group('own', t('Yours, in every workspace'), 'account', filesOf(own, list.problems.filter(ofUser)), '', true),
  ];
}

/** What it offers is asked for when its row is opened, and not before. */
function offered(
  server: DiscoveredServer,
  state: PreviewState | undefined,
  nowMs: number,
  t: Translate,
): Pick<TreeNode, 'children' | 'folded' | 'pending'> {
  if (server.problem) return { children: [] };
  if (!state) return { children: [], pending: true };
  return { children: previewNodes(server, state, nowMs, t), folded: true };
}

function fileNodes(
  servers: readonly DiscoveredServer[],
  problems: readonly DiscoveryProblem[],
  folders: readonly string[],
  node: (server: DiscoveredServer) => TreeNode,
  t: Translate,
): TreeNode[] {
  const files = new Map<string, TreeNode[]>();
  const below = (file: string): TreeNode[] => {
    const nodes = files.get(file) ?? [];
    files.set(file, nodes);
    return nodes;
  };
  for (const server of servers) below(server.source.file ?? '').push(node(server));
  for (const problem of problems) {
    const nodes = below(problem.file);
    nodes.push(problemNode(problem, nodes.length, t));
  }
  return [...files]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([file, nodes]) => fileNode(file, nodes, folders));
}

function group(
  id: string,
  label: string,
  icon: string,
  children: TreeNode[],
  description = '',
  folded?: true,
): TreeNode[] {
  if (children.length === 0) return [];
  return [
    {
      id: `servers:${id}`,
      label,
      description,
      icon: { name: icon },
      context: 'group',
      children,
      ...(folded ? { folded } : {}),
    },
  ];
}

function fileNode(file: string, children: TreeNode[], folders: readonly string[]): TreeNode {
  const broken = children.some(({ context }) => context === 'problem');
  const shown = shortPath(file, folders);
  return {
    id: `file:${file}`,
    label: basename(file),
    description: dirname(shown) === '.' ? '' : dirname(shown),
    tooltip: file,
    icon: broken ? errorIcon : { name: 'json' },
    context: 'file',
    children,
  };
}

function serverNode(server: DiscoveredServer, isExposed: boolean, t: Translate): TreeNode {
  const runs = server.transport.kind === 'http' ? server.transport.url : commandLine(server.transport);
  const { file, line } = server.source;
  const state = isExposed ? t('Exposed: see Tunnels.') : t('Not exposed: nobody outside can reach it.');
  const tooltip = [
    server.name,
    server.problem ?? state,
    ...secretLines(server, t),
    runs,
    ...(server.guess ? [server.guess.reason] : []),
    ...(server.running ? [t('Process {0} {1}', server.running.pid, server.running.command ?? '').trim()] : []),
    ...(server.alsoIn ?? []).map((source) => t('Also in {0}', source.file ?? source.format)),
  ].join('\n');
  return {
    id: `server:${server.id}`,
    label: server.name,
    description: [...flagged(server, t), described(server, runs, t)].join(' · '),
    tooltip,
    icon: serverIcon(server, isExposed),
    context: contextOf(server, isExposed),
    subject: { kind: 'server', server },
    children: [],
    ...(file ? { click: { kind: 'open', file, ...(line ? { line } : {}) } } : {}),
  };
}

/** What menus look at: the state, then what else can be done with it. */
function contextOf({ problem, needs, guess, answered }: DiscoveredServer, isExposed: boolean): string {
  const state = needs ? '.needs' : problem ? '.problem' : isExposed ? '.exposed' : '';
  return `server${state}${guess ? '+guess' : ''}${answered ? '+answered' : ''}`;
}

function described({ problem, needs, running }: DiscoveredServer, runs: string, t: Translate): string {
  if (needs) return t('asks for {0}', needs.map(({ id, description }) => description ?? id).join(', '));
  return problem ?? (running?.needsAuth ? t('{0}, asks for a credential', runs) : runs);
}

function flagged({ secrets }: DiscoveredServer, t: Translate): string[] {
  return secrets?.committed ? [t('committed with a secret in it')] : [];
}

function secretLines({ secrets }: DiscoveredServer, t: Translate): string[] {
  if (!secrets) return [];
  const where = secrets.where.join(', ');
  return [
    secrets.committed
      ? t('Its file is committed and contains what looks like a secret: {0}', where)
      : t('Its file contains what looks like a secret: {0}', where),
  ];
}

function problemNode(problem: DiscoveryProblem, index: number, t: Translate): TreeNode {
  const { file, line, column, message } = problem;
  return {
    id: `problem:${file}:${index}`,
    label: line ? t('Line {0}', line) : t('Cannot be read'),
    description: message,
    tooltip: `${file}${line ? `:${line}` : ''}\n${message}`,
    icon: errorIcon,
    context: 'problem',
    click: { kind: 'open', file, ...(line ? { line } : {}), ...(column ? { column } : {}) },
    children: [],
  };
}

const errorIcon = { name: 'error', color: 'problemsErrorIcon.foreground' };

function serverIcon(server: DiscoveredServer, isExposed: boolean): NonNullable<TreeNode['icon']> {
  if (server.needs) return { name: 'key' };
  if (server.problem) return errorIcon;
  if (server.secrets?.committed) return { name: 'warning', color: 'problemsWarningIcon.foreground' };
  if (isExposed) return { name: 'broadcast', color: 'charts.green' };
  return { name: server.transport.kind === 'http' ? 'globe' : 'terminal' };
}

/** Below one of `folders` the way from there; with several folders it begins with the folder's name. */
export function shortPath(file: string, folders: readonly string[]): string {
  for (const folder of folders) {
    const way = relative(folder, file);
    if (way.startsWith('..') || way === '' || way === file) continue;
    return folders.length > 1 ? `${basename(folder)}/${way}` : way;
  }
  return file;
}
