// The one place where rules are applied: every file's rule for the agent, then the grant. Lists are filtered and calls
// are decided by the same answer, so what is hidden is refused and what is shown can be called.
import { firstMatch } from './glob.ts';
import type { MergedPolicy, PolicyLayer } from './mergedPolicy.ts';
import { isPlainUri } from './plainUri.ts';
import type { AgentRule } from './policySchema.ts';
import type { Named, Subject } from './subject.ts';

/** What a grant narrows; an absent list narrows nothing. */
export type GrantScope = { tools?: string[]; readOnly?: boolean };

export type Annotations = (tool: string) => { readOnlyHint?: boolean } | undefined;

export type Asking = { agent: string; scope: GrantScope; annotations: Annotations };

/** `rule` says who decided, for the log; `reason` is for the agent. */
export type Finding = { allowed: true; rule: string } | { allowed: false; rule: string; reason: string };

type Governed = Exclude<Subject, { kind: 'free' } | { kind: 'unreadable' }>;
type Section = 'tools' | 'prompts' | 'resources';

const SECTION = { tool: 'tools', prompt: 'prompts', resource: 'resources' } as const satisfies Record<Named, Section>;

/** Changes nothing but how much a session logs. */
const HARMLESS: ReadonlySet<string> = new Set(['logging/setLevel']);

const always: Finding = { allowed: true, rule: 'always allowed' };

export function judge(policy: MergedPolicy, asking: Asking, subject: Subject): Finding {
  const broken = policy.layers.find((layer) => layer.kind === 'broken');
  if (broken) return refused(broken.origin, 'the policy of this tunnel cannot be read; its owner has to repair it');
  if (subject.kind === 'free') return always;
  if (subject.kind === 'unreadable') return refused('message', `${shown(subject.method)}: ${subject.problem}`);
  const rules: string[] = [];
  for (const layer of policy.layers) {
    const finding = judgeLayer(layer, asking, subject);
    if (finding && !finding.allowed) return finding;
    if (finding) rules.push(finding.rule);
  }
  const granted = judgeGrant(asking, subject);
  if (granted && !granted.allowed) return granted;
  if (granted) rules.push(granted.rule);
  return { allowed: true, rule: rules.join(', ') || 'no rule restricts it' };
}

/** `undefined` where the file says nothing about agents. */
function judgeLayer(layer: PolicyLayer, asking: Asking, subject: Governed): Finding | undefined {
  const agents = layer.kind === 'rules' ? layer.policy.agents : undefined;
  if (!agents) return undefined;
  const everyone = Object.hasOwn(agents, '*') ? agents['*'] : undefined;
  const own = asking.agent !== '*' && Object.hasOwn(agents, asking.agent) ? agents[asking.agent] : undefined;
  const [rule, key] = own ? [own, asking.agent] : [everyone, '*'];
  if (!rule) return refused(`${layer.origin} agents`, 'no rule of the policy names this agent');

  // An agent's own entry replaces what `*` allows, but not what `*` denies.
  const label = (name: string): string => `${layer.origin} agents[${JSON.stringify(name)}]`;
  const denied = judgeDenials(rule, label(key), asking, subject);
  if (denied) return denied;
  const deniedToAll = own && everyone ? judgeDenials(everyone, label('*'), asking, subject) : undefined;
  return deniedToAll ?? judgeAllowances(rule, label(key), subject);
}

function judgeDenials(rule: AgentRule, label: string, asking: Asking, subject: Governed): Finding | undefined {
  const deny = rule.deny ?? [];
  // A pattern without a slash names tools, prompts and resources; methods of MCP have one.
  const methodDenied = deny.findIndex(
    (pattern) =>
      (pattern === '*' || pattern.includes('/') || subject.kind === 'other') &&
      firstMatch([pattern], subject.method) === 0,
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
  return rule.readOnly === true ? judgeReadOnly(`${label}.readOnly`, asking, subject) : undefined;
}

function judgeAllowances(rule: AgentRule, label: string, subject: Governed): Finding {
  const methodAt = rule.methods ? firstMatch(rule.methods, subject.method) : -1;
  const implied = !rule.methods && (subject.kind === 'use' || subject.kind === 'list');
  if (methodAt < 0 && !implied) return refused(`${label}.methods`, `${shown(subject.method)} is not an allowed method`);
  if (subject.kind === 'other') return { allowed: true, rule: `${label}.methods[${methodAt}]` };
  if (subject.kind === 'unknown-use') {
    const restricted = subject.of.find((kind) => !rule[SECTION[kind]]?.includes('*'));
    if (restricted === undefined) return { allowed: true, rule: `${label}.methods[${methodAt}]` };
    const reason = `${shown(subject.method)} is not a method that the rules can judge`;
    return refused(`${label}.${SECTION[restricted]}`, reason);
  }
  const section = SECTION[subject.of];
  const patterns = rule[section] ?? [];
  if (subject.kind === 'list') {
    if (patterns.length > 0) return { allowed: true, rule: `${label}.${section}` };
    return refused(`${label}.${section}`, `no ${section} are allowed`);
  }
  return judgeNames(subject, patterns, `${label}.${section}`, !patterns.includes('*'));
}

function judgeNames(
  { of, names }: { of: Named; names: readonly string[] },
  patterns: readonly string[],
  label: string,
  particular: boolean,
): Finding {
  let rule = label;
  for (const name of names) {
    const place = firstMatch(patterns, name);
    if (place < 0) return refused(label, `the ${of} ${shown(name)} is not allowed`);
    if (of === 'resource' && particular && !isPlainUri(name)) {
      return refused(label, `write the URI ${shown(name)} in its plain form`);
    }
    rule = `${label}[${place}]`;
  }
  return { allowed: true, rule };
}

/** A grant that names tools gives nothing else. */
function judgeGrant(asking: Asking, subject: Governed): Finding | undefined {
  const { tools, readOnly } = asking.scope;
  if (readOnly === true) {
    const finding = judgeReadOnly('grant readOnly', asking, subject);
    if (finding) return finding;
  }
  if (tools === undefined) return undefined;
  const isOfTools = (subject.kind === 'use' || subject.kind === 'list') && subject.of === 'tool';
  if (!isOfTools)
    return refused('grant tools', `${shown(subject.method)} is not part of this grant, which names tools only`);
  if (subject.kind === 'use') return judgeNames(subject, tools, 'grant tools', true);
  return tools.length > 0 ? { allowed: true, rule: 'grant tools' } : refused('grant tools', 'this grant names no tool');
}

/** Whatever does not declare itself read-only counts as writing. */
function judgeReadOnly(label: string, { annotations }: Asking, subject: Governed): Finding | undefined {
  if (subject.kind === 'list' || HARMLESS.has(subject.method)) return undefined;
  if (subject.kind !== 'use') return refused(label, `${shown(subject.method)} may write, and access is read-only`);
  if (subject.of !== 'tool') return undefined;
  const writing = subject.names.find((name) => annotations(name)?.readOnlyHint !== true);
  if (writing === undefined) return undefined;
  return refused(label, `the tool ${shown(writing)} does not declare itself read-only, and access is read-only`);
}

function namesOf(subject: Governed): readonly string[] {
  return subject.kind === 'use' ? subject.names : [];
}

function refused(rule: string, reason: string): Finding {
  return { allowed: false, rule, reason };
}

/** A name that an agent chose, fit for a sentence. */
function shown(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
}
