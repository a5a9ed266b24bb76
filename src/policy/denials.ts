// What a rule refuses whatever else allows it: its `deny` list, writing where access is read-only, and arguments that are
// not what it demands.
import { mayHideTool } from './asks.ts';
import { argumentFault, type ArgumentRules } from './argumentRules.ts';
import { refused, shown, type Asking, type Finding, type Governed } from './finding.ts';
import { firstMatch } from './glob.ts';
import { isPlainUri } from './plainUri.ts';
import type { AgentRule } from './policySchema.ts';
import { maxSteps, type Budget } from './stepBudget.ts';

/** Changes nothing but how much a session logs. */
const HARMLESS: ReadonlySet<string> = new Set(['logging/setLevel']);

/** The same in the words of the other era, which a server of that era is asked in (until 2025-11-25, and 2026-07-28). */
const TWINS: Readonly<Record<string, string>> = {
  'resources/subscribe': 'subscriptions/listen',
  'subscriptions/listen': 'resources/subscribe',
};

export function judgeDenials(rule: AgentRule, label: string, asking: Asking, subject: Governed): Finding | undefined {
  const deny = rule.deny ?? [];
  const methods = methodsOf(subject);
  // A pattern without a slash names tools, prompts and resources; methods of MCP have one.
  const methodDenied = deny.findIndex(
    (pattern) =>
      (pattern === '*' || pattern.includes('/') || subject.kind === 'other') &&
      methods.some((method) => firstMatch([pattern], method) === 0),
  );
  if (methodDenied >= 0) return refused(`${label}.deny[${methodDenied}]`, `${shown(subject.method)} is denied`);
  for (const name of namesOf(subject)) {
    const place = firstMatch(deny, name);
    if (place >= 0) return refused(`${label}.deny[${place}]`, `${shown(name)} is denied`);
  }
  if (deny.length > 0 && subject.kind === 'use' && subject.of === 'resource') {
    // Written in another way, a denied resource would match no pattern.
    const unclear = subject.names.find((name) => !isPlainUri(name));
    if (unclear !== undefined) return refused(`${label}.deny`, `write the URI ${shown(unclear)} in its plain form`);
  }
  if (subject.kind === 'unknown-use' && deny.length > 0) {
    return refused(`${label}.deny`, `${shown(subject.method)} is not a method that the rules can judge`);
  }
  if (mayHideTool(rule, subject)) {
    return refused(`${label}.ask`, `${shown(subject.method)} is not a method that the rules can judge`);
  }
  const readOnly = rule.readOnly === true ? judgeReadOnly(`${label}.readOnly`, asking, subject) : undefined;
  if (readOnly || rule.arguments === undefined) return readOnly;
  const { budget = { left: maxSteps } } = asking;
  return judgeArguments(rule.arguments, `${label}.arguments`, subject, budget);
}

/** What demands something of arguments refuses what has others, and what may be a call written in another way. */
function judgeArguments(rules: ArgumentRules, label: string, subject: Governed, budget: Budget): Finding | undefined {
  if (subject.kind === 'unknown-use' && subject.of.includes('tool') && Object.keys(rules).length > 0) {
    return refused(label, `${shown(subject.method)} is not a method that the rules can judge`);
  }
  if (subject.kind !== 'use' || subject.of !== 'tool' || subject.args === undefined) return undefined;
  for (const name of subject.names) {
    const fault = argumentFault(rules, name, subject.args, budget);
    if (fault) return refused(`${label}[${JSON.stringify(fault.key)}]`, fault.reason);
  }
  return undefined;
}

/** Whatever does not declare itself read-only counts as writing. */
export function judgeReadOnly(label: string, { annotations }: Asking, subject: Governed): Finding | undefined {
  if (subject.kind === 'list' || HARMLESS.has(subject.method)) return undefined;
  if (subject.kind !== 'use') return refused(label, `${shown(subject.method)} may write, and access is read-only`);
  if (subject.of !== 'tool') return undefined;
  const writing = subject.names.find((name) => annotations(name)?.readOnlyHint !== true);
  if (writing === undefined) return undefined;
  return refused(label, `the tool ${shown(writing)} does not declare itself read-only, and access is read-only`);
}

function methodsOf({ kind, method }: Governed): readonly string[] {
  const twin = kind === 'use' && Object.hasOwn(TWINS, method) ? TWINS[method] : undefined;
  return twin === undefined ? [method] : [method, twin];
}

function namesOf(subject: Governed): readonly string[] {
  return subject.kind === 'use' ? subject.names : [];
}
