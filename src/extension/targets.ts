// What a command is about: the row it was started on, else the only one there is, else a pick.
import { window, type QuickPickItem } from 'vscode';
import { TunnelError } from '../core/errors.ts';
import type { DiscoveredServer } from '../core/server.ts';
import type { HeldCall } from '../mcp/heldCall.ts';
import type { GrantInfo, TunnelInfo } from '../protocol/control.ts';
import type { App } from './app.ts';
import { isLive, leftLabel, scopeLabel } from './grantWords.ts';
import { plainItem } from './plainRow.ts';
import type { TreeNode, TreeSubject } from './treeNode.ts';
import { t } from './vscodeTranslate.ts';
import { destinationLabel, stateLabel } from './wording.ts';

/** The server of a tree's row or of `{ server: id }`, as keybindings and notifications pass it. */
export function serverOf(app: App, target: unknown): DiscoveredServer | undefined {
  const subject = subjectOf(target);
  if (subject?.kind === 'server' || subject?.kind === 'offered') return subject.server;
  const id = (target as { server?: unknown } | undefined)?.server;
  return app.store.servers?.servers.find((server) => server.id === id);
}

/** `undefined` when there is none or the person left. The newest state of it, not that of the row. */
export async function tunnelOf(app: App, target: unknown, title: string): Promise<TunnelInfo | undefined> {
  const { tunnels } = app.store;
  const subject = subjectOf(target);
  const id = subject && 'tunnel' in subject ? subject.tunnel.id : (target as { tunnel?: unknown } | undefined)?.tunnel;
  const named = tunnels.find((tunnel) => tunnel.id === id);
  if (named || tunnels.length <= 1) return named ?? tunnels[0];
  const items = tunnels.map((tunnel): QuickPickItem & { tunnel: TunnelInfo } =>
    plainItem({
      label: tunnel.server.name,
      description: tunnel.hostname ?? stateLabel(tunnel.state, app.clock.now(), t),
      detail: destinationLabel(tunnel.destination, t),
      tunnel,
    }),
  );
  const picked = await window.showQuickPick(items, {
    title,
    placeHolder: t('Which tunnel?'),
    matchOnDescription: true,
  });
  return picked?.tunnel;
}

/** A grant that still works: of a tree's row or of `{ grant: id }`, else picked. The newest state of it. */
export async function grantOf(app: App, target: unknown, title: string): Promise<GrantInfo | undefined> {
  const nowMs = app.clock.now();
  const grants = await liveGrants(app, nowMs);
  const subject = subjectOf(target);
  const id = subject?.kind === 'grant' ? subject.grant.id : (target as { grant?: unknown } | undefined)?.grant;
  if (id !== undefined) {
    const named = grants.find((grant) => grant.id === id);
    if (named) return named;
    throw new TunnelError('NOT_FOUND', 'this grant has ended');
  }
  const items = grants.map((grant): QuickPickItem & { grant: GrantInfo } =>
    plainItem({
      label: grant.name,
      description: `${leftLabel(grant.expiresMs, nowMs, t)} · ${scopeLabel(grant.scope, t)}`,
      grant,
    }),
  );
  if (items.length === 0) throw new TunnelError('NOT_FOUND', 'there is no agent yet: add one first');
  return (await window.showQuickPick(items, { title, placeHolder: t('Which agent?') }))?.grant;
}

/** Whether a command was started on an agent. */
export function isGrantTarget(target: unknown): boolean {
  return subjectOf(target)?.kind === 'grant' || (target as { grant?: unknown } | undefined)?.grant !== undefined;
}

async function liveGrants({ helper }: App, nowMs: number): Promise<GrantInfo[]> {
  const { grants } = await helper.request('grants/list', {});
  helper.report({ kind: 'grants', grants });
  return grants.filter((grant) => isLive(grant, nowMs));
}

/** Only of a row: a tool is not asked for. */
export function toolOf(target: unknown): Extract<TreeSubject, { kind: 'tool' }> | undefined {
  const subject = subjectOf(target);
  return subject?.kind === 'tool' ? subject : undefined;
}

/** Only of a row, too. */
export function offeredOf(target: unknown): Extract<TreeSubject, { kind: 'offered' }> | undefined {
  const subject = subjectOf(target);
  return subject?.kind === 'offered' ? subject : undefined;
}

/** Of a row alone. */
export function heldOf(target: unknown): HeldCall | undefined {
  const subject = subjectOf(target);
  return subject?.kind === 'held' ? subject.call : undefined;
}

function subjectOf(target: unknown): TreeSubject | undefined {
  return (target as Partial<TreeNode> | undefined)?.subject;
}
