// What the window shows all the time: three trees, the status bar, and the context keys that menus and welcome texts ask.
import {
  commands,
  StatusBarAlignment,
  ThemeColor,
  window,
  type Disposable,
  type StatusBarItem,
  type TreeView,
} from 'vscode';
import { agentTree } from './agentTree.ts';
import type { App } from './app.ts';
import { contextKeys, viewIds } from './commandIds.ts';
import { isLive } from './grantWords.ts';
import { previewNodes } from './previewTree.ts';
import { serverTree } from './serverTree.ts';
import type { HelperState } from './store.ts';
import type { TreeNode } from './treeNode.ts';
import { toolNodes } from './toolTree.ts';
import { NodeTree } from './treeView.ts';
import { tunnelTree } from './tunnelTree.ts';
import { t } from './vscodeTranslate.ts';

/** Ages grow without any event; nothing on the screen is older than this. */
const ageRefreshMs = 5_000;

export type WindowFacts = { trusted: () => boolean };

export function showViews(app: App, facts: WindowFacts): Disposable[] {
  const { store } = app;
  const servers = new NodeTree(
    () => serverTree(serverInput(app), t),
    (node) => loadPreview(app, node),
  );
  const tunnels = new NodeTree(
    () => {
      const isOffered = (server: string): boolean => app.chatServers.isOffered(server);
      return tunnelTree(store.tunnels, store.tools, app.clock.now(), t, isOffered, store.holds.held);
    },
    (node) => loadTools(app, node),
  );
  const agents = new NodeTree(() => agentTree(agentInput(app), app.clock.now(), t));
  const serversView = window.createTreeView(viewIds.servers, { treeDataProvider: servers, showCollapseAll: true });
  const tunnelsView = window.createTreeView(viewIds.tunnels, { treeDataProvider: tunnels, showCollapseAll: true });
  const agentsView = window.createTreeView(viewIds.agents, { treeDataProvider: agents });
  const views = [serversView, tunnelsView, agentsView];
  const status = window.createStatusBarItem('mcpTunnel.status', StatusBarAlignment.Left);

  const show = (): void => {
    servers.refresh();
    tunnels.refresh();
    agents.refresh();
    serversView.message = restrictedMessage(store.servers !== undefined, facts.trusted());
    tunnelsView.message = helperMessage(store.helper);
    agentsView.message = helperMessage(store.helper);
    showStatus(status, app);
    void setContextKeys(app);
  };
  const startWhenSeen = (view: TreeView<TreeNode>): Disposable =>
    view.onDidChangeVisibility(({ visible }) => {
      if (visible && !store.servers) void app.servers.refresh();
    });
  const ages = setInterval(() => {
    if (tunnelsView.visible && store.tunnels.length > 0) tunnels.refresh();
    if (agentsView.visible && store.grants.length > 0) agents.refresh();
    if (serversView.visible && store.previews.size > 0) servers.refresh();
    void setContextKeys(app); // The last grant may just have ended.
  }, ageRefreshMs);
  show();
  if (views.some(({ visible }) => visible)) void app.servers.refresh();
  return [
    ...[...views, servers, tunnels, agents, status].map((shown) => shown as Disposable),
    ...views.map(startWhenSeen),
    { dispose: store.onChange(show) },
    app.chatServers.onDidChangeMcpServerDefinitions(show),
    { dispose: () => clearInterval(ages) },
  ];
}

function serverInput({ store, folders, clock }: App): Parameters<typeof serverTree>[0] {
  const { servers: list, tunnels, previews } = store;
  return { list, tunnels, previews, folders: folders(), nowMs: clock.now() };
}

/** A server's row is opened for the first time. */
async function loadPreview({ previews, store, clock }: App, { subject }: TreeNode): Promise<TreeNode[]> {
  if (subject?.kind !== 'server') return [];
  await previews.refresh(subject.server.id);
  const state = store.previews.get(subject.server.id);
  return state ? previewNodes(subject.server, state, clock.now(), t) : [];
}

function agentInput({ store, tokens }: App): Parameters<typeof agentTree>[0] {
  const { grants, tunnels } = store;
  return { grants, tunnels, servers: store.servers?.servers ?? [], holds: (grant) => tokens.holds(grant) };
}

/** The row "Tools" is opened for the first time. */
async function loadTools({ tools, store }: App, { subject }: TreeNode): Promise<TreeNode[]> {
  if (subject?.kind !== 'tunnel') return [];
  await tools.refresh(subject.tunnel.id);
  const [node] = toolNodes(subject.tunnel, store.tools.get(subject.tunnel.id), t);
  return node?.children ?? [];
}

function showStatus(item: StatusBarItem, { store }: App): void {
  const { tunnels } = store;
  if (tunnels.length === 0) return item.hide();
  const isPublic = tunnels.some(({ destination }) => destination.carrier !== 'embedded');
  const troubled = tunnels.some(({ state }) => state.kind === 'waiting' || state.kind === 'failed');
  const count = tunnels.length === 1 ? t('1 tunnel') : t('{0} tunnels', tunnels.length);
  item.name = t('MCP Tunnel');
  item.text = `$(${troubled ? 'warning' : 'broadcast'}) ${count}`;
  item.tooltip = [
    isPublic
      ? t('MCP servers of this machine can be reached from outside.')
      : t('Only agents on this machine can reach it.'),
    ...tunnels.map(({ server, hostname }) => (hostname ? `${server.name}: ${hostname}` : server.name)),
    t('Click to show the tunnels.'),
  ].join('\n');
  item.command = `${viewIds.tunnels}.focus`;
  item.backgroundColor = isPublic ? new ThemeColor('statusBarItem.warningBackground') : undefined;
  item.show();
}

function restrictedMessage(hasList: boolean, trusted: boolean): string {
  if (trusted || !hasList) return '';
  return t('Restricted Mode: servers are listed, none is run.');
}

/** Empty takes the message away. */
function helperMessage(state: HelperState): string {
  switch (state.kind) {
    case 'restarting':
      return t('The helper ended and is being started again…');
    case 'failed': // A welcome text with buttons stands there.
    case 'stopped':
    case 'starting':
    case 'running':
      return '';
  }
}

async function setContextKeys({ store, clock }: App): Promise<void> {
  const set = (key: string, value: unknown): Thenable<unknown> => commands.executeCommand('setContext', key, value);
  await set(contextKeys.hasTunnels, store.tunnels.length > 0);
  const nowMs = clock.now();
  await set(
    contextKeys.hasAgents,
    store.grants.some((grant) => isLive(grant, nowMs)),
  );
  await set(contextKeys.hasServers, (store.servers?.servers.length ?? 0) > 0);
  await set(contextKeys.helper, store.helper.kind);
}
