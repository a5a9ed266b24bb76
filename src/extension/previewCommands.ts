// Commands on what a server offers: look at it, look again, and copy what it says of a tool.
import { env, ProgressLocation } from 'vscode';
import { TunnelError } from '../core/errors.ts';
import type { DiscoveredServer } from '../core/server.ts';
import type { App } from './app.ts';
import { withInputs } from './askInputs.ts';
import { agreeToRun } from './consent.ts';
import { showInfo, withProgress } from './messages.ts';
import { offeredOf, serverOf } from './targets.ts';
import { t } from './vscodeTranslate.ts';

/** Asks for consent where nobody gave it yet. */
export async function previewServer(app: App, target?: unknown): Promise<void> {
  const chosen = serverOf(app, target);
  const server = chosen && (await withInputs(app, chosen));
  if (server) await look(app, server, false);
}

export async function refreshPreview(app: App, target?: unknown): Promise<void> {
  const server = serverOf(app, target);
  if (server) await look(app, server, true);
}

async function look(app: App, server: DiscoveredServer, again: boolean): Promise<void> {
  if (server.problem) throw new TunnelError('CONFIG_INVALID', `“${server.name}” cannot be asked: ${server.problem}`);
  const consent = await agreeToRun(app, server, 'preview');
  if (!consent) return;
  const agreed = consent === 'agreed' ? {} : { consent: consent.hash };
  const options = {
    location: ProgressLocation.Notification,
    cancellable: true,
    title: t('Looking at {0}', server.name),
  };
  await withProgress(options, (_report, cancel) => {
    const aborter = new AbortController();
    cancel.onCancellationRequested(() => aborter.abort());
    return app.previews.refresh(server.id, { again, signal: aborter.signal, ...agreed });
  });
}

export async function copyOfferedName(_app: App, target?: unknown): Promise<void> {
  const offered = offeredOf(target);
  if (!offered) return;
  await env.clipboard.writeText(offered.item.name);
  void showInfo(t('The name is in the clipboard.'));
}

export async function copyOfferedJson(_app: App, target?: unknown): Promise<void> {
  const offered = offeredOf(target);
  if (!offered) return;
  await env.clipboard.writeText(`${JSON.stringify(offered.item.definition, undefined, 2)}\n`);
  void showInfo(t('The definition is in the clipboard.'));
}
