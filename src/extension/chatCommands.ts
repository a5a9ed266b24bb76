// "Try in VS Code's Chat" on a tunnel, and the end of it.
import { commands } from 'vscode';
import type { App } from './app.ts';
import { showInfo } from './messages.ts';
import { tunnelOf } from './targets.ts';
import { t } from './vscodeTranslate.ts';

export async function offerToChat(app: App, target?: unknown): Promise<void> {
  const tunnel = await tunnelOf(app, target, t('Try in VS Code’s Chat'));
  if (!tunnel) return;
  await app.chatServers.offer(tunnel);
  const list = t('Show MCP Servers');
  const text = t(
    'VS Code’s chat can use {0} now, through its tunnel. Start it in the list of MCP servers.',
    tunnel.server.name,
  );
  const picked = await showInfo(text, list);
  if (picked === list) await commands.executeCommand('workbench.mcp.listServer');
}

export async function withdrawFromChat(app: App, target?: unknown): Promise<void> {
  const tunnel = await tunnelOf(app, target, t('Remove from VS Code’s Chat'));
  if (!tunnel) return;
  await app.chatServers.withdraw(tunnel);
  void showInfo(t('VS Code’s chat no longer has {0}, and its access is revoked.', tunnel.server.name));
}
