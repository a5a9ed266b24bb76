// Commands on who may call: add, revoke, rotate, copy.
import { env, window, type QuickPickItem } from 'vscode';
import { errorInfo } from '../core/errors.ts';
import type { GrantInfo, GrantScope } from '../protocol/control.ts';
import { toolChoices } from './accessChange.ts';
import { askExpiry, askReadOnly, askTools } from './accessQuestions.ts';
import type { App } from './app.ts';
import { rulesFor } from './changeAccess.ts';
import { asSentence } from './advice.ts';
import { askWarning, showInfo } from './messages.ts';
import { whenPressed } from './notify.ts';
import { grantOf } from './targets.ts';
import { t } from './vscodeTranslate.ts';

const minuteMs = 60_000;
/** As grants and policy files have it. */
const maxNameLength = 64;

/** A new grant with a token of its own, which is put into the clipboard. */
export async function addAgent(app: App): Promise<void> {
  const step = (number: number): { title: string } => ({ title: t('Add Agent ({0}/5)', number) });
  const name = await window.showInputBox({
    ...step(1),
    prompt: t('How shall it be called here? The name is also what rules of policy files say.'),
    placeHolder: t('for example: Claude on my laptop'),
    ignoreFocusOut: true,
    validateInput: nameProblem,
  });
  const servers = name && (await askServers(app, step(2)));
  if (!servers) return;
  const scope = await askScope(app, servers, step);
  if (!scope) return;
  const expiresMs = await askExpiry(step(5), app.clock.now());
  if (expiresMs === undefined) return;
  const { grant, token } = await app.helper.request('grants/add', { name: name.trim(), servers, scope, expiresMs });
  await app.tokens.keep(grant, token);
  await env.clipboard.writeText(token);
  void showInfo(t('The token of {0} is in the clipboard; whoever holds it may call.', grant.name));
}

/** Rules name agents so: `*` would be all of them. */
function nameProblem(text: string): string | undefined {
  const name = text.trim();
  if (name === '' || name === '*') return t('Give it a name');
  return name.length > maxNameLength ? t('At most {0} characters', maxNameLength) : undefined;
}

type ServerItem = QuickPickItem & { ids: string[] };

async function askServers(app: App, question: { title: string }): Promise<string[] | undefined> {
  const { tunnels, servers } = app.store;
  const open = new Map(tunnels.map(({ server }) => [server.id, server.name]));
  const others = (servers?.servers ?? []).filter(({ id }) => !open.has(id));
  const items: ServerItem[] = [
    ...[...open].map(([id, name]) => ({ label: `$(broadcast) ${name}`, description: t('exposed now'), ids: [id] })),
    ...others.map(({ id, name }) => ({ label: `$(server) ${name}`, description: t('not exposed'), ids: [id] })),
    { label: `$(globe) ${t('Every exposed server')}`, description: t('also those exposed later'), ids: ['*'] },
  ];
  const placeHolder = t('Which server may it reach?');
  return (await window.showQuickPick(items, { ...question, placeHolder, ignoreFocusOut: true }))?.ids;
}

async function askScope(
  app: App,
  servers: string[],
  step: (number: number) => { title: string },
): Promise<GrantScope | undefined> {
  const none = { id: '', name: '', scope: { servers, tools: [] }, createdMs: 0, expiresMs: 0 };
  const choices = toolChoices(await rulesFor(app, none), none);
  const tools = await askTools(step(3), choices, 'all');
  if (!tools) return undefined;
  const readOnly = await askReadOnly(step(4), undefined);
  if (readOnly === undefined) return undefined;
  return { ...(tools === 'all' ? {} : { tools: [...tools] }), ...(readOnly ? { readOnly } : {}) };
}

export async function revokeAgent(app: App, target?: unknown): Promise<void> {
  const grant = await grantOf(app, target, t('Revoke'));
  if (!grant || !(await confirmRevoke(app, grant))) return;
  await app.helper.request('grants/revoke', { id: grant.id });
  await app.tokens.forget(grant.id);
  window.setStatusBarMessage(t('{0} was revoked.', grant.name), 8_000);
}

async function confirmRevoke(app: App, grant: GrantInfo): Promise<boolean> {
  const callers = app.store.tunnels.flatMap(({ agents }) => agents.filter((agent) => agent.grant.id === grant.id));
  const connected = [...new Set(callers.map(({ name }) => name))].join(', ');
  const detail = [
    callers.length > 0
      ? t('Calls and streams of {0} that are open now end at once.', connected)
      : t('Nobody has called with it since its tunnel opened.'),
    grant.paired
      ? t('It has to be paired again to come back.')
      : t('What lets it in stops working everywhere, for every server. This cannot be undone.'),
  ].join('\n');
  const revoke = t('Revoke');
  return (await askWarning(t('Revoke {0}?', grant.name), detail, revoke)) === revoke;
}

/** A new token in place of the old one, which may work a while longer. */
export async function rotateToken(app: App, target?: unknown): Promise<void> {
  const grant = await grantOf(app, target, t('Rotate Token'));
  if (!grant) return;
  if (grant.paired) return explainNoToken(app, grant);
  const overlapMs = await askOverlap(grant);
  if (overlapMs === undefined) return;
  try {
    const { grant: now, token } = await app.helper.request('grants/rotate', { id: grant.id, overlapMs });
    if (now.way) return tellSecret(now.name, token);
    await app.tokens.keep(now, token);
  } catch (error) {
    if (errorInfo(error).code !== 'CONFLICT') throw error;
    return explainNoToken(app, grant, asSentence(errorInfo(error).message)); // It ended meanwhile, or has none.
  }
  const copy = t('Copy Token');
  const text = t('{0} has a new token. Give it to the agent; this editor keeps it for copying.', grant.name);
  whenPressed(showInfo(text, copy), () => copyGrantToken(app, grant));
}

async function askOverlap({ name }: GrantInfo): Promise<number | undefined> {
  const items = [
    { label: t('At once'), detail: t('What is open with the old token ends now'), overlapMs: 0 },
    { label: t('In 10 minutes'), detail: t('Time to put the new one in its place'), overlapMs: 10 * minuteMs },
    { label: t('In 1 hour'), detail: t('For agents that are set up elsewhere'), overlapMs: 60 * minuteMs },
  ];
  const placeHolder = t('When shall the old token stop working?');
  const options = { title: t('Rotate the token of {0}', name), placeHolder, ignoreFocusOut: true };
  return (await window.showQuickPick(items, options))?.overlapMs;
}

/** What stands in its URL in place of `/mcp`: kept nowhere, so that it is copied now or never. */
function tellSecret(name: string, path: string): void {
  const copy = t('Copy Secret Path');
  const text = t('{0} has a new secret URL. Copy it now: it is shown once and kept nowhere.', name);
  whenPressed(showInfo(text, copy), () => env.clipboard.writeText(path));
}

function explainNoToken(app: App, grant: GrantInfo, why?: string): void {
  const revoke = t('Revoke…');
  const text = why ?? t('{0} paired and renews its tokens by itself. Revoke it to end its access.', grant.name);
  whenPressed(showInfo(text, revoke), () => revokeAgent(app, { grant: grant.id }));
}

/** Of a grant whose token this editor minted. */
export async function copyGrantToken(app: App, { id, name }: GrantInfo): Promise<void> {
  const token = await app.tokens.of(id);
  if (!token) return void showInfo(t('This editor does not hold the token of {0}: rotate it to get a new one.', name));
  await env.clipboard.writeText(token);
  window.setStatusBarMessage(t('The token of {0} is in the clipboard; whoever holds it may call.', name), 8_000);
}
