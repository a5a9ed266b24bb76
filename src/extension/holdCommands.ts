// Answering a call that waits, from its notification, its row or the palette; and holding the next one. Leaving a question
// decides nothing: the call goes on waiting until its time is over.
import { commands, window, workspace, type QuickPickItem, type TextDocument } from 'vscode';
import { errorInfo, TunnelError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { HeldCall, HoldAnswer } from '../mcp/heldCall.ts';
import type { App } from './app.ts';
import { shortened } from './holdTree.ts';
import { showError, showInfo } from './messages.ts';
import { plainItem, plainWords } from './plainRow.ts';
import { heldOf, tunnelOf } from './targets.ts';
import { t } from './vscodeTranslate.ts';

/** Characters of arguments in a row of a list. */
const maxInRow = 100;

export async function holdNextCall(app: App, target?: unknown): Promise<void> {
  const tunnel = await tunnelOf(app, target, t('Hold Next Call'));
  if (!tunnel) return;
  const others = app.store.holds.breakpoints.filter((set) => set.tunnel !== tunnel.id || !set.once);
  await app.helper.request('holds/breakpoints', { breakpoints: [...others, { tunnel: tunnel.id, once: true }] });
  void showInfo(t('The next call of a tool of {0} waits for you.', tunnel.server.name));
}

export async function answerHeldCall(app: App, target?: unknown): Promise<void> {
  const call = heldOf(target) ?? (await pickCall(app));
  if (!call) return;
  const items: (QuickPickItem & { act: () => Promise<void> })[] = [
    { label: t('Continue'), act: () => answer(app, call, { kind: 'continue' }) },
    ...(call.isWhole ? [{ label: t('Edit…'), act: () => editCall(app, call) }] : []),
    { label: t('Deny…'), act: () => denyWithMessage(app, call) },
    { label: t('Answer in place of the server…'), act: () => mock(app, call) },
  ];
  const picked = await window.showQuickPick(items, {
    title: plainWords(`${call.agent}: ${call.tool}`),
    placeHolder: plainWords(shortened(call.arguments, maxInRow)),
    ignoreFocusOut: true,
  });
  await picked?.act();
}

export async function answer(app: App, { id }: HeldCall, given: HoldAnswer): Promise<void> {
  await app.helper.request('holds/answer', { id, answer: given });
}

/** The arguments in an editor of their own; what cannot be sent is said, and edited on. */
export async function editCall(app: App, call: HeldCall): Promise<void> {
  const content = JSON.stringify(JSON.parse(call.arguments), null, 2);
  const document = await workspace.openTextDocument({ language: 'json', content });
  await window.showTextDocument(document);
  const go = t('Continue with These Arguments');
  const deny = t('Deny');
  let question = t('Edit the arguments of {0}, then continue.', call.tool);
  for (;;) {
    const pressed = await showInfo(question, go, deny);
    if (pressed === undefined) return; // It goes on waiting; its row is still there.
    try {
      const args = pressed === go ? parsed(document.getText()) : undefined;
      await answer(app, call, args ? { kind: 'continue', arguments: args } : { kind: 'deny' });
      return await discard(document);
    } catch (error) {
      const { code, message } = errorInfo(error);
      if (code === 'NOT_FOUND') throw error;
      question = message;
    }
  }
}

async function pickCall({ store }: App): Promise<HeldCall | undefined> {
  const { held } = store.holds;
  if (held.length === 0) void showError(t('No call waits for you.'));
  if (held.length <= 1) return held[0];
  const items = held.map((call) =>
    plainItem({ label: call.tool, description: call.agent, detail: shortened(call.arguments, maxInRow), call }),
  );
  return (await window.showQuickPick(items, { title: t('Answer Held Call'), placeHolder: t('Which call?') }))?.call;
}

async function denyWithMessage(app: App, call: HeldCall): Promise<void> {
  const message = await window.showInputBox({ title: t('Deny {0}', call.tool), prompt: t('What is the agent told?') });
  if (message === undefined) return;
  await answer(app, call, message === '' ? { kind: 'deny' } : { kind: 'deny', message });
}

async function mock(app: App, call: HeldCall): Promise<void> {
  const text = await window.showInputBox({
    title: t('Answer {0} in place of the server', call.tool),
    prompt: t('Text of the answer'),
  });
  if (text === undefined) return;
  await answer(app, call, { kind: 'mock', result: { content: [{ type: 'text', text }] } });
}

/** Throws `USAGE`. */
function parsed(text: string): JsonObject {
  let value: JsonValue | undefined;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    // Said below, with what else is no object.
  }
  if (isJsonObject(value)) return value;
  throw new TunnelError('USAGE', t('The arguments are not a JSON object.'));
}

/** Nobody is asked whether to save it. */
async function discard(document: TextDocument): Promise<void> {
  if (window.activeTextEditor?.document !== document) return;
  await commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
}
