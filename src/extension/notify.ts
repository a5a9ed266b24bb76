// How a failure reaches a person: one notification with one button, the details in the log.
import { commands, env, Position, Range, Uri, window, type TextDocumentShowOptions } from 'vscode';
import { errorInfo } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { advise, asSentence, type AdviceButton } from './advice.ts';
import type { App } from './app.ts';
import { showError } from './messages.ts';
import { t } from './vscodeTranslate.ts';

/** Of a server's last lines those that a notification has room for; the log has them all. */
export const lastLinesShown = 3;

/** Not for cancelled work: whoever cancels knows. Returns without waiting for the person. */
export function showFailure(app: Pick<App, 'log'>, error: unknown, what?: string): void {
  const info = errorInfo(error);
  if (info.code === 'CANCELLED') return;
  app.log.error(`${info.code}: ${info.message}`, ...(error instanceof Error && error.cause ? [error.cause] : []));
  const lines = lastLines(info.data?.['stderr']);
  if (lines.length > 0) app.log.error(`the server's last lines:\n${lines.join('\n')}`);
  const { text, button } = advise(info, t);
  const shown = [what ? `${what}: ${text}` : text];
  if (lines.length > 0) shown.push(t('The server wrote: {0}', lines.slice(-lastLinesShown).join(' ⏎ ')));
  whenPressed(showError(shown.join(' '), button.title), () => pressButton(button));
}

/** The words of a stranger, each line on one line. */
function lastLines(stderr: unknown): string[] {
  if (!Array.isArray(stderr)) return [];
  const lines = stderr.filter((line): line is string => typeof line === 'string' && line.trim() !== '');
  return lines.map((line) => printable(line.trim()));
}

/** Does `act` when a button of the message is pressed. Nobody waits for it, so what fails is shown here. */
export function whenPressed(
  shown: PromiseLike<string | undefined>,
  act: (button: string) => PromiseLike<unknown> | undefined,
): void {
  const pressed = async (): Promise<void> => {
    const button = await shown;
    if (button !== undefined) await act(button);
  };
  pressed().catch((error: unknown) => void showError(asSentence(errorInfo(error).message)));
}

export async function pressButton(button: AdviceButton): Promise<void> {
  switch (button.kind) {
    case 'command':
      await commands.executeCommand(button.command);
      return;
    case 'openFile':
      return openFileAt(button.file, button.line);
    case 'copy':
      await env.clipboard.writeText(button.text);
      return;
  }
}

/** Line and column count from 1. */
export async function openFileAt(file: string, line = 1, column = 1): Promise<void> {
  await window.showTextDocument(Uri.file(file), selectionAt(line, column));
}

export function selectionAt(line = 1, column = 1): TextDocumentShowOptions {
  const start = new Position(Math.max(0, line - 1), Math.max(0, column - 1));
  return { selection: new Range(start, start) };
}
