// The command "Pair an Agent…": for five minutes an agent that cannot be given a token may ask to be let in. The person
// sees who asks and where the access would go, picks what it may do and for how long, and types the number that the
// browser shows. Leaving a question decides nothing: the command asks it again.
import { CancellationTokenSource, ProgressLocation, window, type CancellationToken, type QuickPickItem } from 'vscode';
import { errorInfo } from '../core/errors.ts';
import type { GrantScope, PendingPairing, TunnelInfo } from '../protocol/control.ts';
import type { App } from './app.ts';
import { expiryHours } from './grants.ts';
import { showInfo, showWarning, withProgress } from './messages.ts';
import { plainName, whenOver, whoAsks } from './pairingWatch.ts';
import { tunnelOf } from './targets.ts';
import { t } from './vscodeTranslate.ts';

export async function pairAgent(app: App, target?: unknown): Promise<void> {
  const tunnel = await tunnelOf(app, target, t('Pair an Agent'));
  if (!tunnel) return;
  await app.helper.request('pair/open', { tunnel: tunnel.id });
  const pending = await waitForAgent(app, tunnel);
  if (!pending) return;
  const asking = new CancellationTokenSource();
  const stopListening = whenOver(app.store, tunnel.id, () => asking.cancel());
  try {
    await answer(app, tunnel, pending, asking.token);
  } finally {
    stopListening();
    asking.dispose();
  }
}

/** Takes the helper's answer for the newest state: the store hears of it a moment later. */
async function waitForAgent(app: App, tunnel: TunnelInfo): Promise<PendingPairing | undefined> {
  const { tunnels } = await app.helper.request('tunnel/list', {});
  app.helper.report({ kind: 'tunnels', tunnels });
  const url = tunnel.loopbackUrl ?? tunnel.url ?? '';
  return withProgress(
    { location: ProgressLocation.Notification, title: t('Pair an Agent'), cancellable: true },
    async (report, cancelled) => {
      report(t('connect it to {0} now; its browser page shows a number', url));
      const left = new AbortController();
      cancelled.onCancellationRequested(() => left.abort());
      const pending = await whoAsks(app.store, tunnel.id, left.signal);
      if (left.signal.aborted) await app.helper.request('pair/close', { tunnel: tunnel.id });
      return pending;
    },
  );
}

async function answer(
  app: App,
  { id: tunnel }: TunnelInfo,
  pending: PendingPairing,
  token: CancellationToken,
): Promise<void> {
  const scope = await pickScope(pending, token);
  if (scope === 'deny') return void (await app.helper.request('pair/answer', { tunnel, deny: true }));
  const hours = scope && (await pickHours(pending, token));
  if (scope === undefined || hours === undefined) return tellIfOver(pending, token);
  for (let triesLeft = pending.triesLeft; triesLeft > 0;) {
    const number = await typeNumber(pending, triesLeft, token);
    if (number === undefined) return tellIfOver(pending, token);
    try {
      const expiresMs = app.clock.now() + hours * 3_600_000;
      await app.helper.request('pair/answer', { tunnel, number, scope, expiresMs });
      const text = t('{0} is let in for {1} hours.', plainName(pending.name), hours);
      return void showInfo(text);
    } catch (error) {
      const { code, data } = errorInfo(error);
      triesLeft = code === 'CONFLICT' ? Number(data?.['triesLeft']) || 0 : 0;
      if (triesLeft === 0) throw error;
    }
  }
}

type ScopeItem = QuickPickItem & { scope?: GrantScope; next?: 'deny' | 'tools' };

async function pickScope(pending: PendingPairing, token: CancellationToken): Promise<GrantScope | 'deny' | undefined> {
  const { name, redirectHost, local, documentHost, ruled } = pending;
  const items: ScopeItem[] = [
    { label: t('Everything the policy allows'), scope: {} },
    { label: t('Only tools that say they change nothing'), scope: { readOnly: true } },
    { label: t('Only some tools…'), next: 'tools' },
    { label: t('Do not let it in'), next: 'deny' },
  ];
  if (local)
    items[0]!.detail = `$(warning) ${t('A program on the browser’s machine gets it: go on only if you started it.')}`;
  if (ruled)
    items[1]!.detail = `$(warning) ${t('The policy has rules for this name, and they would be its rules: it chose the name itself.')}`;
  const vouched = documentHost === undefined ? t('its own word') : t('says {0}', documentHost);
  const picked = await window.showQuickPick(
    items,
    {
      title: t('{0} ({1}) wants to be let in', name, vouched),
      placeHolder: t('Access goes to {0}. What may it do?', redirectHost),
      ignoreFocusOut: true, // The person comes and goes between here and the browser.
    },
    token,
  );
  if (picked?.next === 'deny') return 'deny';
  return picked?.next === 'tools' ? nameTools(pending, token) : picked?.scope;
}

async function nameTools({ name }: PendingPairing, token: CancellationToken): Promise<GrantScope | undefined> {
  const typed = await window.showInputBox(
    {
      title: t('Tools for {0}', name),
      prompt: t('Names with spaces between them; * stands for any text'),
      placeHolder: 'get-* echo',
      ignoreFocusOut: true,
      validateInput: (text) => (text.trim() === '' ? t('Name one tool at least') : undefined),
    },
    token,
  );
  return typed === undefined ? undefined : { tools: typed.trim().split(/[\s,]+/) };
}

async function pickHours({ name }: PendingPairing, token: CancellationToken): Promise<number | undefined> {
  const usual = expiryHours();
  const items = [usual, ...[1, 8, 24, 168].filter((hours) => hours !== usual)].map((hours) => ({
    label: hours === 1 ? t('1 hour') : t('{0} hours', hours),
    hours,
  }));
  const options = { title: t('How long may {0} call?', name), ignoreFocusOut: true };
  return (await window.showQuickPick(items, options, token))?.hours;
}

function typeNumber(
  { name }: PendingPairing,
  triesLeft: number,
  token: CancellationToken,
): Thenable<string | undefined> {
  const prompt = t('Type the number that the browser shows');
  return window.showInputBox(
    {
      title: t('Let {0} in', name),
      prompt: triesLeft === 3 ? prompt : `${prompt} · ${t('that was not it; {0} more', triesLeft)}`,
      placeHolder: '123 456',
      ignoreFocusOut: true,
      validateInput: (text) => (/^[\d\s-]{6,}$/.test(text) ? undefined : t('Six digits, as the browser shows them')),
    },
    token,
  );
}

function tellIfOver({ name }: PendingPairing, token: CancellationToken): void {
  if (token.isCancellationRequested) void showWarning(t('{0} no longer asks to be let in.', plainName(name)));
}
