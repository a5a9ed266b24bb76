// What a grant gives, for how long and how it came about, in few words: the same in the tree and in questions.
import { printable } from '../core/printable.ts';
import type { GrantInfo, GrantScope } from '../protocol/control.ts';
import type { Translate } from './translate.ts';

/** Names of a list that are written out; the others are counted. */
const maxNamesShown = 20;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

export function isLive(grant: GrantInfo, nowMs: number): boolean {
  return grant.revokedMs === undefined && grant.expiresMs > nowMs;
}

/** In one unit, since rows are narrow: `7d`, `8h`, and minutes in the last two hours. */
export function leftLabel(expiresMs: number, nowMs: number, t: Translate): string {
  const leftMs = Math.max(0, expiresMs - nowMs);
  const unitMs = leftMs > 2 * dayMs ? dayMs : leftMs > 2 * hourMs ? hourMs : minuteMs;
  const units = unitMs === minuteMs ? Math.ceil(leftMs / unitMs) : Math.round(leftMs / unitMs);
  if (unitMs === hourMs) return t('{0}h left', units);
  return unitMs === dayMs ? t('{0}d left', units) : t('{0}m left', units);
}

/** How an agent is recognised that holds no token; nothing for one that holds one. */
export function wayLabel({ paired, way }: GrantInfo, t: Translate): string | undefined {
  if (paired) return t('paired, {0}', printable(paired.redirectHost, 80));
  switch (way?.kind) {
    case undefined:
      return undefined;
    case 'path-secret':
      return t('secret URL');
    case 'certificate':
      return t('client certificate');
    case 'jwt':
      return t('JWT of {0}', printable(way.issuer, 80));
  }
}

/** `read-only · 2 tools`. Once one list is there, what the others do not name is not given. */
export function scopeLabel(scope: GrantScope, t: Translate): string {
  const { methods, tools, prompts, resources, readOnly } = scope;
  const lists = [
    tools && counted(tools, t('all tools'), t('no tools'), t('1 tool'), (count) => t('{0} tools', count)),
    prompts && counted(prompts, t('all prompts'), t('no prompts'), t('1 prompt'), (count) => t('{0} prompts', count)),
    resources &&
      counted(resources, t('all resources'), t('no resources'), t('1 resource'), (count) => t('{0} resources', count)),
    methods && counted(methods, t('all methods'), t('no methods'), t('1 method'), (count) => t('{0} methods', count)),
  ].filter((part) => part !== undefined);
  const access = readOnly ? [t('read-only')] : [];
  if (lists.length === 0 && access.length === 0) return t('full access');
  return [...access, ...lists].join(' · ');
}

/** The lists in full, one a line. */
export function scopeLines(scope: GrantScope, t: Translate): string[] {
  const line = (name: string, list: readonly string[] | undefined): string[] =>
    list === undefined ? [] : [`${name}: ${namesOf(list, t)}`];
  const { methods, tools, prompts, resources, readOnly } = scope;
  const lists = [
    ...line(t('Tools'), tools),
    ...line(t('Prompts'), prompts),
    ...line(t('Resources'), resources),
    ...line(t('Methods'), methods),
  ];
  return [
    ...(readOnly ? [t('Read-only: only tools that say they change nothing')] : []),
    ...(lists.length > 0 ? lists : [t('Everything the policy allows')]),
  ];
}

export function namesOf(list: readonly string[], t: Translate): string {
  if (list.length === 0) return t('none');
  const names = list.slice(0, maxNamesShown).map((name) => printable(name, 80));
  const more = list.length - names.length;
  return more > 0 ? t('{0} and {1} more', names.join(', '), more) : names.join(', ');
}

function counted(
  list: readonly string[],
  all: string,
  none: string,
  one: string,
  many: (count: number) => string,
): string {
  if (list.includes('*')) return all;
  if (list.length === 0) return none;
  return list.length === 1 ? one : many(list.length);
}
