// What a command is about: the row it was started on, else the only one there is, else a pick.
import { window, type QuickPickItem } from 'vscode';
import type { DiscoveredServer } from '../core/server.ts';
import type { TunnelInfo } from '../protocol/control.ts';
import type { App } from './app.ts';
import type { TreeNode, TreeSubject } from './treeNode.ts';
import { t } from './vscodeTranslate.ts';
import { destinationLabel, stateLabel } from './wording.ts';

/** The server of a tree's row or of `{ server: id }`, as keybindings and notifications pass it. */
export function serverOf(app: App, target: unknown): DiscoveredServer | undefined {
  const subject = subjectOf(target);
  if (subject?.kind === 'server') return subject.server;
  const id = (target as { server?: unknown } | undefined)?.server;
  return app.store.servers?.servers.find((server) => server.id === id);
}

/** `undefined` when there is none or the person left. The newest state of it, not that of the row. */
export async function tunnelOf(app: App, target: unknown, title: string): Promise<TunnelInfo | undefined> {
  const { tunnels } = app.store;
  const subject = subjectOf(target);
  const id = subject?.kind === 'tunnel' ? subject.tunnel.id : (target as { tunnel?: unknown } | undefined)?.tunnel;
  const named = tunnels.find((tunnel) => tunnel.id === id);
  if (named || tunnels.length <= 1) return named ?? tunnels[0];
  const items = tunnels.map((tunnel): QuickPickItem & { tunnel: TunnelInfo } => ({
    label: tunnel.server.name,
    description: tunnel.hostname ?? stateLabel(tunnel.state, app.clock.now(), t),
    detail: destinationLabel(tunnel.destination, t),
    tunnel,
  }));
  const picked = await window.showQuickPick(items, {
    title,
    placeHolder: t('Which tunnel?'),
    matchOnDescription: true,
  });
  return picked?.tunnel;
}

function subjectOf(target: unknown): TreeSubject | undefined {
  return (target as Partial<TreeNode> | undefined)?.subject;
}
