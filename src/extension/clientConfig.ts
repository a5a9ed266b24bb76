// Copying what an agent needs: the URL, the token, or a whole configuration.
import { env, window, type QuickPickItem } from 'vscode';
import { TunnelError } from '../core/errors.ts';
import type { GrantInfo, TunnelInfo } from '../protocol/control.ts';
import type { App } from './app.ts';
import { leftLabel, scopeLabel } from './grantWords.ts';
import { askInfo, showInfo, showWarning } from './messages.ts';
import { snippetsFor, snippetTarget, type Snippet } from './snippets.ts';
import { grantOf, isGrantTarget, tunnelOf } from './targets.ts';
import { copyGrantToken } from './grantCommands.ts';
import { mintToken } from './grants.ts';
import { t } from './vscodeTranslate.ts';

/** Of an embedded tunnel the loopback URL: most clients cannot resolve `*.localhost`. */
export async function copyUrl(app: App, target?: unknown): Promise<void> {
  const tunnel = await tunnelOf(app, target, t('Copy URL'));
  const url = tunnel && (tunnel.loopbackUrl ?? tunnel.url);
  if (!url) return;
  await env.clipboard.writeText(url);
  window.setStatusBarMessage(t('Copied {0}', url), 5_000);
}

/** Of an agent's row its own token, of a tunnel one that opens it. */
export async function copyToken(app: App, target?: unknown): Promise<void> {
  if (isGrantTarget(target)) {
    const grant = await grantOf(app, target, t('Copy Token'));
    return grant && copyGrantToken(app, grant);
  }
  const tunnel = await tunnelOf(app, target, t('Copy Token'));
  if (!tunnel) return;
  const token = await tokenFor(app, tunnel);
  if (!token) return;
  await env.clipboard.writeText(token);
  window.setStatusBarMessage(
    t('The token of {0} is in the clipboard; whoever holds it may call.', tunnel.server.name),
    8_000,
  );
}

export async function copyClientConfig(app: App, target?: unknown): Promise<void> {
  const tunnel = await tunnelOf(app, target, t('Copy Client Config'));
  if (!tunnel) return;
  const token = await tokenFor(app, tunnel);
  if (!token) return;
  const snippet = await pickSnippet(tunnel, token);
  if (!snippet) return;
  await env.clipboard.writeText(snippet.text);
  const copied = t(
    'The configuration for {0} is in the clipboard. It holds the token: keep it to yourself.',
    snippet.label,
  );
  if (snippet.caution) void showWarning(`${copied} ${snippet.caution}`);
  else void showInfo(copied);
}

async function pickSnippet(tunnel: TunnelInfo, token: string): Promise<Snippet | undefined> {
  const target = snippetTarget(tunnel, token);
  if (!target) throw new TunnelError('NOT_FOUND', 'the tunnel has no URL yet');
  const items = snippetsFor(target, t).map((snippet): QuickPickItem & { snippet: Snippet } => ({
    label: snippet.label,
    description: snippet.description,
    ...(snippet.caution ? { detail: `$(info) ${snippet.caution}` } : {}),
    snippet,
  }));
  const placeHolder = t('Which agent shall call {0}?', tunnel.server.name);
  const options = { title: t('Copy Client Config'), placeHolder, ignoreFocusOut: true };
  return (await window.showQuickPick(items, options))?.snippet;
}

/** A token this editor holds, else a new one when the person wants that: the helper knows only digests. */
async function tokenFor(app: App, tunnel: TunnelInfo): Promise<string | undefined> {
  const { grants } = await app.helper.request('grants/list', {});
  const held = app.tokens.usable(tunnel.server.id, grants, app.clock.now());
  if (held.length > 1) return pickToken(app, held);
  const known = held[0] && (await app.tokens.of(held[0].id));
  if (known) return known;
  const create = t('Create Token');
  const question = t(
    'This editor holds no token for {0}. Create a new one? Those handed out before keep working.',
    tunnel.server.name,
  );
  const picked = await askInfo(question, create);
  return picked === create ? mintToken(app, tunnel) : undefined;
}

/** Agents may do different things with the same server: whose token it is decides. */
async function pickToken(app: App, grants: readonly GrantInfo[]): Promise<string | undefined> {
  const items = grants.map((grant): QuickPickItem & { grant: string } => ({
    label: grant.name,
    description: `${leftLabel(grant.expiresMs, app.clock.now(), t)} · ${scopeLabel(grant.scope, t)}`,
    grant: grant.id,
  }));
  const options = { title: t('Copy Token'), placeHolder: t('As which agent?'), ignoreFocusOut: true };
  const picked = await window.showQuickPick(items, options);
  return picked && app.tokens.of(picked.grant);
}
