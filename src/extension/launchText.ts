// What will run, as lines a person can read before agreeing, and what is different from what was agreed to before.
import type { LaunchPlan } from '../core/server.ts';
import type { Translate } from './translate.ts';

/** A command and its arguments, each word quoted where its borders would not be seen. Hostile characters are escaped. */
export function commandLine({ command, args }: { command: string; args: readonly string[] }): string {
  return [command, ...args].map(visibleWord).join(' ');
}

export type PlanLine = { name: string; value: string };

/** The plan as named lines; the hash is not for people. */
export function planLines(plan: LaunchPlan, t: Translate): PlanLine[] {
  const lines: PlanLine[] = [];
  const add = (name: string, value: string | undefined): void => {
    if (value) lines.push({ name, value });
  };
  if (plan.command !== undefined) add(t('Command'), commandLine({ command: plan.command, args: plan.args ?? [] }));
  add(t('Folder'), plan.cwd && visible(plan.cwd));
  add(t('URL'), plan.url && visible(plan.url));
  add(t('Environment'), plan.envNames?.map(visibleWord).join(', '));
  for (const [name, value] of Object.entries(plan.loads ?? {})) add(loadsLabel(name, t), visible(value) || '""');
  add(t('Headers'), plan.headerNames?.map(visibleWord).join(', '));
  return lines;
}

/** One text of the plan, each argument on a line of its own, so that a diff shows which one changed. */
export function planDocument(plan: LaunchPlan, t: Translate): string {
  const lines: string[] = [];
  if (plan.command !== undefined) lines.push(`${t('Command')}: ${visible(plan.command)}`);
  for (const arg of plan.args ?? []) lines.push(`  ${visible(arg)}`);
  if (plan.cwd) lines.push(`${t('Folder')}: ${visible(plan.cwd)}`);
  if (plan.url) lines.push(`${t('URL')}: ${visible(plan.url)}`);
  for (const name of plan.envNames ?? []) lines.push(`${t('Environment')}: ${visible(name)}`);
  for (const [name, value] of Object.entries(plan.loads ?? {})) lines.push(`${loadsLabel(name, t)}: ${visible(value)}`);
  for (const name of plan.headerNames ?? []) lines.push(`${t('Headers')}: ${visible(name)}`);
  return `${lines.join('\n')}\n`;
}

/** Such a value is part of what is run: it is shown, where others are not. */
function loadsLabel(name: string, t: Translate): string {
  return t('{0}, which can load code', visibleWord(name));
}

/** `name: old → new` for each line that differs; one sentence when only a value that is not shown did. */
export function planChanges(previous: LaunchPlan, plan: LaunchPlan, t: Translate): string[] {
  const before = new Map(planLines(previous, t).map(({ name, value }) => [name, value]));
  const after = new Map(planLines(plan, t).map(({ name, value }) => [name, value]));
  const changes = [...new Set([...before.keys(), ...after.keys()])]
    .filter((name) => before.get(name) !== after.get(name))
    .map((name) => `${name}: ${before.get(name) ?? '–'}  →  ${after.get(name) ?? '–'}`);
  if (changes.length > 0) return changes;
  return [t('Only the value of an environment variable or header changed; values are not shown.')];
}

/** Control and direction characters would let a stranger's text lie about what is run: they are shown as escapes. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

function visibleWord(word: string): string {
  const shown = visible(word);
  return word !== '' && !/[\s"'\\]/.test(word) ? shown : `"${shown.replaceAll('"', '\\"')}"`;
}
