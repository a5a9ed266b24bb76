// What a server's file leaves to its user, asked in the editor: one box or list each. Answers are kept; they are asked
// for once.
import { window, type QuickPickItem } from 'vscode';
import { printable } from '../core/printable.ts';
import { isSecretAnswer } from '../core/secretAnswer.ts';
import type { DiscoveredServer, ServerInput } from '../core/server.ts';
import type { InputAnswer } from '../protocol/control.ts';
import type { App } from './app.ts';
import { showInfo } from './messages.ts';
import { plainItem } from './plainRow.ts';
import { serverOf } from './targets.ts';
import { t } from './vscodeTranslate.ts';

/** The server as it is with the answers; `undefined` when the person left. */
export async function withInputs(app: App, server: DiscoveredServer): Promise<DiscoveredServer | undefined> {
  const { needs } = server;
  if (!needs) return server;
  const answers: InputAnswer[] = [];
  for (const [index, input] of needs.entries()) {
    const title = t('“{0}” asks ({1} of {2})', printable(server.name), index + 1, needs.length);
    const value = await ask(input, title);
    if (value === undefined) return undefined;
    answers.push({ id: input.id, value, ...(isSecretAnswer(input, value) ? { password: true } : {}) });
  }
  await app.inputs.keep(server, answers);
  await app.servers.refresh();
  return app.store.servers?.servers.find(({ id }) => id === server.id) ?? server;
}

export async function forgetInputs(app: App, target?: unknown): Promise<void> {
  const server = serverOf(app, target);
  if (!server) return;
  await app.inputs.forget(server);
  await app.servers.refresh();
  void showInfo(t('What “{0}” asks for will be asked again.', server.name));
}

async function ask(input: ServerInput, title: string): Promise<string | undefined> {
  const { id, description, options, password } = input;
  const prompt = printable(description ?? id);
  const shared = { title, ignoreFocusOut: true };
  if (options) {
    const items = options.map(({ label, value }): QuickPickItem & { value: string } =>
      plainItem({ label, value, ...(value === input.default ? { description: t('default') } : {}) }),
    );
    return (await window.showQuickPick(items, { ...shared, placeHolder: prompt }))?.value;
  }
  const value = input.default === undefined ? {} : { value: input.default };
  const kept = t('Kept in the secret storage of VS Code, and asked for only once.');
  return window.showInputBox({ ...shared, ...value, prompt: `${prompt}. ${kept}`, password: password === true });
}
