// What an agent may do, as options of a command and as words on a screen.
import type { GrantScope } from '../protocol/control.ts';
import type { OptionRow } from './command.ts';
import { repeated } from './optionParsers.ts';

export type ScopeOptions = {
  methods?: string[];
  tools?: string[];
  prompts?: string[];
  resources?: string[];
  readOnly?: boolean;
};

const lists = ['tools', 'prompts', 'resources', 'methods'] as const;

export const scopeOptions: readonly OptionRow[] = [
  { flags: '--tools <glob...>', help: 'tools the agent may see and call', parse: repeated },
  { flags: '--prompts <glob...>', help: 'prompts it may see and get', parse: repeated },
  { flags: '--resources <glob...>', help: 'URIs of resources it may see, read and subscribe to', parse: repeated },
  { flags: '--methods <glob...>', help: 'methods it may call; what no list names is not given', parse: repeated },
  { flags: '--read-only', help: 'only tools that say they change nothing' },
];

export function scopeOf(options: ScopeOptions): GrantScope {
  const named = lists.flatMap((list) => (options[list] === undefined ? [] : [[list, options[list]]]));
  return { ...(Object.fromEntries(named) as GrantScope), ...(options.readOnly ? { readOnly: true } : {}) };
}

/** The option that took every word behind it, as commander reads them: the last that was given. */
export function lastList(options: ScopeOptions): (typeof lists)[number] | undefined {
  return Object.keys(options)
    .toReversed()
    .map((name) => lists.find((list) => list === name))
    .find((list) => list !== undefined);
}

/** Whether the options say anything about what an agent may do. */
export function namesScope(options: ScopeOptions): boolean {
  return options.readOnly !== undefined || lists.some((list) => options[list] !== undefined);
}

/** What the options name takes the place of the same list of `old`; the other lists stay. */
export function changedScope(old: GrantScope, options: ScopeOptions): GrantScope {
  return scopeOf({ ...old, ...options });
}

/** `tools echo get-*, prompts p, read only`; `any` for what is not narrowed. */
export function scopeWords(scope: GrantScope): string {
  const named = lists.flatMap((list) => {
    const patterns = scope[list];
    return patterns === undefined ? [] : [`${list} ${patterns.join(' ') || 'none'}`];
  });
  return [...(named.length === 0 ? ['any'] : named), ...(scope.readOnly ? ['read only'] : [])].join(', ');
}
