// Commands on a tunnel that is open.
import { window } from 'vscode';
import type { App } from './app.ts';
import { tunnelOf } from './targets.ts';
import { t } from './vscodeTranslate.ts';

/** Its token keeps working: the next time the server is exposed, agents need no new one. */
export async function stopTunnel(app: App, target?: unknown): Promise<void> {
  const tunnel = await tunnelOf(app, target, t('Stop Tunnel'));
  if (!tunnel) return;
  await app.remembered.forget(tunnel);
  await app.helper.request('tunnel/close', { tunnel: tunnel.id });
  window.setStatusBarMessage(t('{0} is no longer exposed.', tunnel.server.name), 5_000);
}

/** Its agents keep their sessions; calls under way are told that they may be tried again. */
export async function restartServer(app: App, target?: unknown): Promise<void> {
  const tunnel = await tunnelOf(app, target, t('Restart Server'));
  if (!tunnel) return;
  await app.helper.request('server/restart', { tunnel: tunnel.id });
  window.setStatusBarMessage(t('{0} is started anew.', tunnel.server.name), 5_000);
}

export async function openInspector(app: App, target?: unknown): Promise<void> {
  // Without a choice to make it shows all: then a tunnel that is opened later is seen, too.
  const chosen = target !== undefined && app.store.tunnels.length > 1;
  const tunnel = chosen ? await tunnelOf(app, target, t('Open Inspector')) : undefined;
  app.inspector.show(tunnel?.id);
}
