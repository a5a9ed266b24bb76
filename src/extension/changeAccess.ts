// The command "Change Access…": three questions with what is so now ticked, the difference in words, then one change of
// the grant. What is open and no longer allowed ends with it.
import { window } from 'vscode';
import { TunnelError } from '../core/errors.ts';
import type { GrantInfo, ToolRules } from '../protocol/control.ts';
import { accessChanges, changedScope, tickedTools, toolChoices, type AccessChange } from './accessChange.ts';
import { askExpiry, askReadOnly, askTools } from './accessQuestions.ts';
import type { App } from './app.ts';
import { leftLabel, scopeLabel } from './grantWords.ts';
import { askWarning, showInfo } from './messages.ts';
import { grantOf } from './targets.ts';
import { t } from './vscodeTranslate.ts';

export async function changeAccess(app: App, target?: unknown): Promise<void> {
  const grant = await grantOf(app, target, t('Change Access'));
  if (!grant) return;
  const wanted = await ask(app, grant);
  if (!wanted) return;
  const after = { scope: changedScope(grant.scope, wanted), expiresMs: wanted.expiresMs };
  const lines = accessChanges(grant, after, t);
  if (lines.length === 0) return void showInfo(t('{0} keeps what it has: nothing was changed.', grant.name));
  const apply = t('Apply');
  if ((await askWarning(t('Change the access of {0}?', grant.name), lines.join('\n'), apply)) !== apply) return;
  refuseIfChanged(app, grant);
  const scopeChanged = JSON.stringify(after.scope) !== JSON.stringify(grant.scope);
  const { grant: now } = await app.helper.request('grants/change', {
    id: grant.id,
    ...(scopeChanged ? { scope: after.scope, before: grant.scope } : {}),
    ...(after.expiresMs === grant.expiresMs ? {} : { expiresMs: after.expiresMs }),
  });
  const facts = `${leftLabel(now.expiresMs, app.clock.now(), t)} · ${scopeLabel(now.scope, t)}`;
  window.setStatusBarMessage(t('{0}: {1}', now.name, facts), 8_000);
}

async function ask(app: App, grant: GrantInfo): Promise<AccessChange | undefined> {
  const step = (number: number): { title: string } => ({ title: t('Access of {0} ({1}/3)', grant.name, number) });
  const { tools: list, methods, prompts, resources, readOnly } = grant.scope;
  const choices = toolChoices(await rulesFor(app, grant), grant);
  const limited = list ?? methods ?? prompts ?? resources;
  const picked = await askTools(step(1), choices, limited ? (list ?? []) : 'all');
  if (!picked) return undefined;
  const reads = await askReadOnly(step(2), readOnly === true);
  if (reads === undefined) return undefined;
  const expiresMs = await askExpiry(step(3), app.clock.now(), grant.expiresMs);
  if (expiresMs === undefined) return undefined;
  const tools =
    picked === 'all' ? picked : choices.length > 0 ? tickedTools(choices, picked, grant.scope) : [...picked];
  return { tools, readOnly: reads, expiresMs };
}

/** Of every open tunnel that the grant reaches. A server that does not answer leaves its tools to be typed or kept. */
export async function rulesFor(app: App, { scope }: Pick<GrantInfo, 'scope'>): Promise<ToolRules[]> {
  const reached = app.store.tunnels.filter(
    ({ server, url }) => url && (scope.servers.includes('*') || scope.servers.includes(server.id)),
  );
  await Promise.all(reached.map(({ id }) => app.tools.refresh(id)));
  return reached.flatMap(({ id }) => {
    const state = app.store.tools.get(id);
    return state?.kind === 'loaded' ? [state.rules] : [];
  });
}

/** Another window may have changed it while the questions stood: what was agreed to is not what would happen. */
function refuseIfChanged(app: App, asked: GrantInfo): void {
  const now = app.store.grants.find(({ id }) => id === asked.id);
  const text = (grant: GrantInfo | undefined): string =>
    JSON.stringify([grant?.scope, grant?.expiresMs, grant?.revokedMs ?? null]);
  if (text(now) === text(asked)) return;
  throw new TunnelError('CONFLICT', `${asked.name} was changed elsewhere meanwhile; look at it again`);
}
