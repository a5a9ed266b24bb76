// Finds MCP servers that run already. Even a question can begin something in a program, so a person is asked first.
import { ProgressLocation, window } from 'vscode';
import type { App } from './app.ts';
import { askWarning, withProgress } from './messages.ts';
import { t } from './vscodeTranslate.ts';

export async function scanServers(app: App): Promise<void> {
  if (!(await agree())) return;
  const folders = app.folders();
  const title = t('Asking what listens on this machine…');
  const options = { location: ProgressLocation.Notification, title, cancellable: true };
  const list = await withProgress(options, (_report, cancel) => {
    const cancelled = new AbortController();
    cancel.onCancellationRequested(() => cancelled.abort());
    return app.helper.request('servers/scan', { folders }, cancelled.signal);
  });
  app.helper.report({ kind: 'servers', list });
  const found = list.servers.filter(({ running }) => running).length;
  const text =
    found === 0
      ? t('No program that was started in this workspace answers as an MCP server.')
      : t('{0} running: see Running in the view Servers.', found);
  window.setStatusBarMessage(text, 10_000);
}

async function agree(): Promise<boolean> {
  const ask = t('Ask Them');
  const detail = t(
    'Programs of yours that listen on this machine and were started in this workspace are asked whether they speak MCP. To some of them, even a question is a beginning: a server may open a session.',
  );
  return (await askWarning(t('Find running servers?'), detail, ask)) === ask;
}
