// The tree "Servers": one row for each file that defines MCP servers, its servers and its problems below it.
import { basename, dirname, relative } from 'node:path';
import type { DiscoveredServer, DiscoveryProblem, ServerList } from '../core/server.ts';
import type { TunnelInfo } from '../protocol/control.ts';
import type { Translate } from './translate.ts';
import type { TreeNode } from './treeNode.ts';
import { commandLine } from './launchText.ts';

export type ServerTreeInput = {
  list: ServerList | undefined;
  tunnels: readonly TunnelInfo[];
  /** The workspace's folders: paths are shown from there. */
  folders: readonly string[];
};

const elsewhere = '';

export function serverTree({ list, tunnels, folders }: ServerTreeInput, t: Translate): TreeNode[] {
  if (!list) return [];
  const exposed = new Set(tunnels.map(({ server }) => server.id));
  const files = new Map<string, TreeNode[]>();
  const below = (file: string): TreeNode[] => {
    const nodes = files.get(file) ?? [];
    files.set(file, nodes);
    return nodes;
  };
  for (const server of list.servers) {
    below(server.source.file ?? elsewhere).push(serverNode(server, exposed.has(server.id), t));
  }
  for (const problem of list.problems) {
    const nodes = below(problem.file);
    nodes.push(problemNode(problem, nodes.length, t));
  }
  return [...files]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([file, nodes]) => fileNode(file, nodes, folders, t));
}

function fileNode(file: string, children: TreeNode[], folders: readonly string[], t: Translate): TreeNode {
  const broken = children.some(({ context }) => context === 'problem');
  const shown = shortPath(file, folders);
  return {
    id: `file:${file}`,
    label: file === elsewhere ? t('Other servers') : basename(file),
    description: dirname(shown) === '.' ? '' : dirname(shown),
    tooltip: file,
    icon: broken ? errorIcon : { name: 'json' },
    context: 'file',
    children,
  };
}

function serverNode(server: DiscoveredServer, isExposed: boolean, t: Translate): TreeNode {
  const runs = server.transport.kind === 'http' ? server.transport.url : commandLine(server.transport);
  const tooltip = server.problem
    ? `${server.name}\n${server.problem}\n${runs}`
    : `${server.name}\n${isExposed ? t('Exposed: see Tunnels.') : t('Not exposed: nobody outside can reach it.')}\n${runs}`;
  const { file, line } = server.source;
  return {
    id: `server:${server.id}`,
    label: server.name,
    description: server.problem ?? runs,
    tooltip,
    icon: serverIcon(server, isExposed),
    context: server.problem ? 'server.problem' : isExposed ? 'server.exposed' : 'server',
    subject: { kind: 'server', server },
    children: [],
    ...(file ? { click: { kind: 'open', file, ...(line ? { line } : {}) } } : {}),
  };
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
  if (server.problem) return errorIcon;
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
