// The words in which rules are applied: who asks, for what, and what a rule says to it.
import type { Budget } from './stepBudget.ts';
import type { Subject } from './subject.ts';

/**
 * What a grant narrows. One that names nothing gives what the policy allows; one that names anything gives nothing else:
 * see `rulesOf` in `allowances.ts`.
 */
export type GrantScope = {
  methods?: readonly string[];
  tools?: readonly string[];
  prompts?: readonly string[];
  resources?: readonly string[];
  readOnly?: boolean;
};

export type Annotations = (tool: string) => { readOnlyHint?: boolean } | undefined;

/** `budget` is for all that is judged of one request; absent: for one judgement alone. */
export type Asking = { agent: string; scope: GrantScope; annotations: Annotations; budget?: Budget };

/** `rule` says who decided, for the log; `reason` is for the agent. */
export type Finding = { allowed: true; rule: string } | { allowed: false; rule: string; reason: string };

/** What rules are asked about. */
export type Governed = Exclude<Subject, { kind: 'free' } | { kind: 'unreadable' }>;

export function refused(rule: string, reason: string): Extract<Finding, { allowed: false }> {
  return { allowed: false, rule, reason };
}

/** A name that an agent chose, fit for a sentence. */
export function shown(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
}
