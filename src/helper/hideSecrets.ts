// Takes secrets that are known out of what is shown, kept or written down beside what is run: as they are, and as JSON
// writes them within a text. What is run has them still.
import type { LaunchPlan } from '../core/server.ts';

export type Hide = (text: string) => string;

/** The longest first: one may be a part of another. */
export function hider(secrets: readonly string[], mark = '***'): Hide {
  const forms = new Set(secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]));
  forms.delete('');
  const longestFirst = [...forms].sort((left, right) => right.length - left.length);
  return (text) => longestFirst.reduce((shown, form) => shown.replaceAll(form, mark), text);
}

/** In every text of a JSON value and in the names of its members: what it is made of stays as it is. */
export function hideIn<T>(value: T, hide: Hide): T {
  if (typeof value === 'string') return hide(value) as T;
  if (Array.isArray(value)) return value.map((one: unknown) => hideIn(one, hide)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, held]) => [hide(name), hideIn(held, hide)])) as T;
}

/** As a person is shown it and as it is remembered; its hash is of the plan as it is. */
export function shownPlan({ hash, ...plan }: LaunchPlan, hide: Hide): LaunchPlan {
  const { command, args, url, cwd, loads } = plan;
  return {
    ...plan,
    hash,
    ...(command === undefined ? {} : { command: hide(command) }),
    ...(args ? { args: args.map(hide) } : {}),
    ...(url === undefined ? {} : { url: hide(url) }),
    ...(cwd === undefined ? {} : { cwd: hide(cwd) }),
    ...(loads ? { loads: hideIn(loads, hide) } : {}),
  };
}
