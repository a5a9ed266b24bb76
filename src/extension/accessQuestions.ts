// What is asked about an agent's access: which tools, whether they may change things, and for how long. Each question
// gives `undefined` when the person left.
import { window, type QuickPickItem } from 'vscode';
import { printable } from '../core/printable.ts';
import { maxListed, type ToolChoice } from './accessChange.ts';
import { expiryHours } from './grants.ts';
import { showWarning } from './messages.ts';
import { t } from './vscodeTranslate.ts';

const hourMs = 3_600_000;

export type Question = { title: string };

/** `all`, or the names that were ticked; without anything to tick they are typed. */
export async function askTools(
  question: Question,
  choices: readonly ToolChoice[],
  now: readonly string[] | 'all',
): Promise<ReadonlySet<string> | 'all' | undefined> {
  const all = { label: t('Everything the policy allows'), detail: t('All tools, prompts and resources') };
  const some = { label: t('Only some tools…'), detail: t('And no prompts or resources, unless its grant names them') };
  const current = { description: t('as it is now') };
  const items = now === 'all' ? [{ ...all, ...current }, some] : [{ ...some, ...current }, all];
  const placeHolder = t('What may it call?');
  const picked = await window.showQuickPick(items, { ...question, placeHolder, ignoreFocusOut: true });
  if (!picked) return undefined;
  if (picked.label === all.label) return 'all';
  return choices.length > 0 ? tickTools(question, choices) : typeTools(question, now === 'all' ? [] : now);
}

async function tickTools(
  { title }: Question,
  choices: readonly ToolChoice[],
): Promise<ReadonlySet<string> | undefined> {
  const items = choices.map((choice): QuickPickItem & { name: string } => ({
    label: printable(choice.name, 120),
    description: choice.listed ? (choice.readOnly ? t('read-only') : '') : t('not listed by an open tunnel'),
    picked: choice.picked,
    name: choice.name,
  }));
  const options = { title, placeHolder: t('Tick the tools that it may call'), ignoreFocusOut: true } as const;
  const picked = await window.showQuickPick(items, { ...options, canPickMany: true });
  if (!picked) return undefined;
  if (picked.length <= maxListed) return new Set(picked.map(({ name }) => name));
  void showWarning(t('A grant names at most {0} tools; allow all and deny some from the row Tools.', maxListed));
  return undefined;
}

async function typeTools({ title }: Question, now: readonly string[]): Promise<ReadonlySet<string> | undefined> {
  const typed = await window.showInputBox({
    title,
    value: now.join(' '),
    prompt: t('Names with spaces between them; * stands for any text'),
    placeHolder: 'get-* echo',
    ignoreFocusOut: true,
    validateInput: (text) => (text.trim() === '' ? t('Name one tool at least') : undefined),
  });
  return typed === undefined ? undefined : new Set(typed.trim().split(/[\s,]+/));
}

export async function askReadOnly({ title }: Question, now: boolean | undefined): Promise<boolean | undefined> {
  const marked = (isNow: boolean): string => (isNow ? t('as it is now') : '');
  const writes = {
    label: `$(edit) ${t('Also tools that may change things')}`,
    description: marked(now === false),
    readOnly: false,
  };
  const reads = {
    label: `$(eye) ${t('Read-only')}`,
    description: marked(now === true),
    detail: t('Only tools that say they change nothing; what says nothing counts as writing'),
    readOnly: true,
  };
  const items = now ? [reads, writes] : [writes, reads];
  const placeHolder = t('May it change things?');
  return (await window.showQuickPick(items, { title, placeHolder, ignoreFocusOut: true }))?.readOnly;
}

/** A moment. `keepMs` is offered first where there is an end already. */
export async function askExpiry({ title }: Question, nowMs: number, keepMs?: number): Promise<number | undefined> {
  const usual = expiryHours();
  const hours = [usual, ...[1, 8, 24, 168].filter((other) => other !== usual)];
  const items = hours.map((count) => ({
    label: count === 1 ? t('1 hour') : t('{0} hours', count),
    description: t('from now'),
    expiresMs: nowMs + count * hourMs,
  }));
  const kept = keepMs === undefined ? [] : [keptItem(keepMs)];
  const placeHolder = t('How long may it call?');
  const options = { title, placeHolder, ignoreFocusOut: true };
  return (await window.showQuickPick([...kept, ...items], options))?.expiresMs;
}

function keptItem(expiresMs: number): { label: string; description: string; expiresMs: number } {
  return { label: t('As it is now'), description: t('until {0}', new Date(expiresMs).toLocaleString()), expiresMs };
}
