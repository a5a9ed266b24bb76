// The only door to notifications. VS Code turns `[words](command:…)` in them into a link that runs a command, and what
// is shown here was partly written by strangers: names of servers, refusals of edges, last words of a process. No
// message that leaves this file holds a link, a line break, or a character that turns the text around it.
import { window, type CancellationToken, type Progress, type ProgressOptions } from 'vscode';
import { printable } from '../core/printable.ts';

/** Characters of a message; VS Code cuts longer ones anyway. */
export const maxMessageLength = 1_000;

type Picked = Thenable<string | undefined>;

/** For every text of a notification, as a whole: a link could also be put together from two values. */
export function withoutLinks(text: string): string {
  return printable(text, maxMessageLength).replaceAll('](', '] (');
}

export function showInfo(text: string, ...buttons: string[]): Picked {
  return window.showInformationMessage(withoutLinks(text), ...buttons);
}

export function showWarning(text: string, ...buttons: string[]): Picked {
  return window.showWarningMessage(withoutLinks(text), ...buttons);
}

export function showError(text: string, ...buttons: string[]): Picked {
  return window.showErrorMessage(withoutLinks(text), ...buttons);
}

/** A dialog that must be answered. */
export function askInfo(question: string, ...buttons: string[]): Picked {
  return window.showInformationMessage(withoutLinks(question), { modal: true }, ...buttons);
}

/** `detail` is shown as plain text and in full: a person agrees to what it says. Its line breaks stay. */
export function askWarning(question: string, detail: string, ...buttons: string[]): Picked {
  const lines = detail.split('\n').map((line) => printable(line, Number.POSITIVE_INFINITY));
  return window.showWarningMessage(withoutLinks(question), { modal: true, detail: lines.join('\n') }, ...buttons);
}

/** Title and steps of work are a notification, too. */
export function withProgress<Result>(
  options: ProgressOptions & { title: string },
  work: (report: (step: string | undefined) => void, cancel: CancellationToken) => Thenable<Result>,
): Thenable<Result> {
  const safe = { ...options, title: withoutLinks(options.title) };
  return window.withProgress(safe, (progress: Progress<{ message?: string }>, cancel) =>
    work((step) => progress.report(step ? { message: withoutLinks(step) } : {}), cancel),
  );
}
