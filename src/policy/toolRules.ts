// What each agent may do with each tool of a server, and which names in rules and grants mean no tool that is there.
// Judged as a call is judged, so that what is shown is what happens.
import { judge } from './access.ts';
import { constrains } from './argumentRules.ts';
import type { Annotations, Finding, GrantScope } from './finding.ts';
import type { MergedPolicy } from './mergedPolicy.ts';
import type { AgentRule } from './policySchema.ts';

export type ToolVerdict =
  /** `conditional`: some arguments are refused. */
  | { kind: 'allowed'; conditional?: true }
  | { kind: 'denied'; rule: string; reason: string; because: 'rule' | 'read-only' | 'grant' };

/** Whether a grant's holder may call a tool at all. */
export function toolVerdict(
  policy: MergedPolicy,
  { name: agent, scope }: { name: string; scope: GrantScope },
  tool: string,
  annotations: Annotations,
): ToolVerdict {
  const subject = { kind: 'use', method: 'tools/call', of: 'tool', names: [tool] } as const;
  const finding = judge(policy, { agent, scope, annotations }, subject);
  if (finding.allowed) {
    const isConditional = rulesOfAgents(policy, [agent]).some(({ rule }) => constrains(rule.arguments, tool));
    return { kind: 'allowed', ...(isConditional ? { conditional: true } : {}) };
  }
  const { rule, reason } = finding;
  return { kind: 'denied', rule, reason, because: becauseOf(finding) };
}

/** Whether all that an agent may do is reading, by its grant or by a rule. */
export function isReadOnly(policy: MergedPolicy, { name, scope }: { name: string; scope: GrantScope }): boolean {
  return scope.readOnly === true || rulesOfAgents(policy, [name]).some(({ rule }) => rule.readOnly === true);
}

export type ListedNames = {
  /** Whether the server, or another that the rule may mean as well, has a tool of this name. */
  hasTool: (name: string) => boolean;
  /** Whether a name may be that of a prompt. */
  hasPrompts: boolean;
};

/** Names without `*` that no tool has; in `deny`, only those that could mean nothing else. */
export function unknownNames(
  policy: MergedPolicy,
  grants: readonly { name: string; scope: GrantScope }[],
  { hasTool, hasPrompts }: ListedNames,
): { rule: string; name: string }[] {
  const unknown = (place: string, names: readonly string[] = []): { rule: string; name: string }[] =>
    names.flatMap((name, at) => (name.includes('*') || hasTool(name) ? [] : [{ rule: `${place}[${at}]`, name }]));
  const rules = rulesOfAgents(
    policy,
    grants.map(({ name }) => name),
  ).flatMap(({ label, rule }) => [
    ...unknown(`${label}.tools`, rule.tools),
    ...unknown(label, Object.keys(rule.arguments ?? {})).map(({ name }) => ({
      rule: `${label}.arguments[${JSON.stringify(name)}]`,
      name,
    })),
    ...unknown(`${label}.deny`, rule.deny).filter(({ name }) => !hasPrompts && !/[:/]/.test(name)),
  ]);
  return [
    ...rules,
    ...grants.flatMap(({ name, scope }) => unknown(`grant ${JSON.stringify(name)} tools`, scope.tools)),
  ];
}

/** The entries for these agents and for all, of every file, each once. */
function rulesOfAgents(policy: MergedPolicy, agents: readonly string[]): { label: string; rule: AgentRule }[] {
  const names = [...new Set(['*', ...agents])];
  return policy.layers.flatMap((layer) => {
    const entries = layer.kind === 'rules' ? (layer.policy.agents ?? {}) : {};
    return names.flatMap((name) => {
      const rule = Object.hasOwn(entries, name) ? entries[name] : undefined;
      return rule ? [{ label: `${layer.origin} agents[${JSON.stringify(name)}]`, rule }] : [];
    });
  });
}

function becauseOf({ rule }: Extract<Finding, { allowed: false }>): 'rule' | 'read-only' | 'grant' {
  if (rule.endsWith('readOnly')) return 'read-only';
  return rule.startsWith('grant ') ? 'grant' : 'rule';
}
