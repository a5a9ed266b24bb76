// What a grant gives now and what it would give after a change: the tools a person may tick, the scope that the ticks
// make, and the difference in words before anything is done.
import { printable } from '../core/printable.ts';
import type { GrantInfo, GrantScope, ToolRules } from '../protocol/control.ts';
import { namesOf } from './grantWords.ts';
import type { Translate } from './translate.ts';

/** Names that one list of a grant may hold (`identity/grantScope.ts`); the helper refuses more. */
export const maxListed = 200;

/** One tool to tick. `picked`: the grant gives it now; what policy says of it is another matter. */
export type ToolChoice = { name: string; readOnly: boolean; picked: boolean; listed: boolean };

/** The tools of the open tunnels that the grant reaches, and names it gives that none of them lists. Patterns are no names. */
export function toolChoices(rules: readonly ToolRules[], grant: GrantInfo): ToolChoice[] {
  const choices = new Map<string, ToolChoice>();
  for (const { tools, agents } of rules) {
    const column = agents.findIndex((agent) => agent.grant === grant.id);
    for (const { name, readOnly, verdicts } of tools) {
      const verdict = verdicts[column];
      const given = verdict !== undefined && !(verdict.kind === 'denied' && verdict.because === 'grant');
      const picked = given || choices.get(name)?.picked === true;
      choices.set(name, { name, readOnly, picked, listed: true });
    }
  }
  for (const name of grant.scope.tools ?? []) {
    if (!name.includes('*') && !choices.has(name))
      choices.set(name, { name, readOnly: false, picked: true, listed: false });
  }
  return [...choices.values()];
}

/** Ticks that were left as they were leave the grant's own list, patterns included. */
export function tickedTools(choices: readonly ToolChoice[], ticked: ReadonlySet<string>, before: GrantScope): string[] {
  const same = choices.every(({ name, picked }) => picked === ticked.has(name));
  if (same && before.tools) return before.tools;
  return choices.filter(({ name }) => ticked.has(name)).map(({ name }) => name);
}

export type AccessChange = { tools: string[] | 'all'; readOnly: boolean; expiresMs: number };

/** `all` takes the list away: what other lists name stays. */
export function changedScope(before: GrantInfo['scope'], { tools, readOnly }: AccessChange): GrantInfo['scope'] {
  const { tools: _tools, readOnly: _readOnly, ...rest } = before;
  const others = rest.methods ?? rest.prompts ?? rest.resources;
  // Beside other lists an absent one gives nothing: there, all has to be said.
  const list = tools === 'all' ? (others ? ['*'] : undefined) : tools;
  return { ...rest, ...(list ? { tools: list } : {}), ...(readOnly ? { readOnly } : {}) };
}

/** One line for each thing that becomes another; none when nothing does. */
export function accessChanges(
  before: GrantInfo,
  after: Pick<GrantInfo, 'scope' | 'expiresMs'>,
  t: Translate,
): string[] {
  const lines: string[] = [];
  const shown = (scope: GrantScope): string => toolsLabel(scope, t);
  if (listText(before.scope.tools) !== listText(after.scope.tools)) {
    lines.push(t('Tools: {0} → {1}', shown(before.scope), shown(after.scope)));
    const lost = gone(before.scope.tools, after.scope.tools);
    if (lost.length > 0) lines.push(t('No longer: {0}', namesOf(lost, t)));
    if (narrowsFromAll(before.scope, after.scope)) lines.push(t('Prompts and resources are no longer given.'));
  }
  const wasReadOnly = before.scope.readOnly === true;
  const isReadOnly = after.scope.readOnly === true;
  if (wasReadOnly !== isReadOnly) {
    lines.push(
      isReadOnly
        ? t('Only tools that say they change nothing may be called.')
        : t('Tools that may change things can be called.'),
    );
  }
  if (before.expiresMs !== after.expiresMs) {
    lines.push(t('Ends: {0} → {1}', timeText(before.expiresMs), timeText(after.expiresMs)));
  }
  return lines;
}

function toolsLabel({ tools, methods, prompts, resources }: GrantScope, t: Translate): string {
  if (tools) return tools.includes('*') ? t('all tools') : namesOf(tools, t);
  return (methods ?? prompts ?? resources) ? t('none') : t('everything the policy allows');
}

function narrowsFromAll(before: GrantScope, after: GrantScope): boolean {
  const hadLists = before.tools ?? before.methods ?? before.prompts ?? before.resources;
  return !hadLists && after.tools !== undefined && !after.prompts && !after.resources;
}

function gone(before: readonly string[] | undefined, after: readonly string[] | undefined): string[] {
  if (!before || !after || after.includes('*')) return [];
  const left = new Set(after);
  return before.filter((name) => !left.has(name)).map((name) => printable(name, 80));
}

const listText = (list: readonly string[] | undefined): string => JSON.stringify(list ?? null);
const timeText = (ms: number): string => new Date(ms).toLocaleString();
