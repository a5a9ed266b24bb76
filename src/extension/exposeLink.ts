// Links that ask to expose a server: `vscode://mcp-tunnel.mcp-tunnel/expose?server=NAME`. Any web page can hold one, so
// nothing happens before a person read what is asked and said yes; then come the same questions as ever.
import { window, workspace, type Disposable, type Uri } from 'vscode';
import { TunnelError } from '../core/errors.ts';
import type { App } from './app.ts';
import { exposeServer } from './expose.ts';
import { askWarning } from './messages.ts';
import { showFailure } from './notify.ts';
import { readLink, serverCalled } from './requests.ts';
import { t } from './vscodeTranslate.ts';

export function registerExposeLinks(app: App): Disposable {
  const handleUri = (uri: Uri): void => {
    follow(app, uri).catch((error: unknown) => showFailure(app, error));
  };
  return window.registerUriHandler({ handleUri });
}

async function follow(app: App, { path, query }: Uri): Promise<void> {
  const link = readLink(path, query);
  if (link.kind === 'refused') {
    const more = t('The link was not followed: it may name a server of this workspace, and nothing else.');
    throw new TunnelError('USAGE', link.reason === 'more' ? more : t('The link is none that MCP Tunnel knows.'));
  }
  if (!workspace.isTrusted) {
    throw new TunnelError('UNTRUSTED_WORKSPACE', t('The link was not followed: this window is in Restricted Mode.'));
  }
  const expose = t('Continue');
  const question = t('A link asks to expose the MCP server “{0}” of this workspace.', link.server);
  const detail = t('Continue only if you expected it. You will be asked where to, and what may run.');
  if ((await askWarning(question, detail, expose)) !== expose) return;
  await app.servers.refresh();
  const named = serverCalled(link.server, app.store.servers?.servers ?? []);
  if (named.kind === 'found') return void (await exposeServer(app, { server: named.server.id }));
  const none = t('No server of this workspace is called “{0}”.', link.server);
  throw new TunnelError(
    'NOT_FOUND',
    named.kind === 'none'
      ? none
      : t('Several servers of this workspace are called “{0}”: choose one in the tree.', link.server),
  );
}
