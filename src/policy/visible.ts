// Which entries of a server's lists an agent may see: exactly those that it may use.
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { judge } from './access.ts';
import { rulesOf } from './allowances.ts';
import type { GrantScope } from './finding.ts';
import type { MergedPolicy } from './mergedPolicy.ts';
import type { AgentRule } from './policySchema.ts';
import { maxNameLength, type Named } from './subject.ts';

export type ListedKind = 'tool' | 'prompt' | 'resource' | 'resourceTemplate';

const USES: Readonly<Record<ListedKind, { of: Named; field: string; method: string }>> = {
  tool: { of: 'tool', field: 'name', method: 'tools/call' },
  prompt: { of: 'prompt', field: 'name', method: 'prompts/get' },
  resource: { of: 'resource', field: 'uri', method: 'resources/read' },
  // Judged by its own text: `file:///docs/{path}` is under `file:///docs/*`. What it expands to is judged when it is read.
  resourceTemplate: { of: 'resource', field: 'uriTemplate', method: 'resources/read' },
};

/** Whether no rule and no grant hides anything from the agent; in doubt, no. */
export function seesEverything(policy: MergedPolicy, agent: string, scope: GrantScope): boolean {
  if (rulesOf(scope) !== undefined || scope.readOnly === true) return false;
  return policy.layers.every((layer) => {
    if (layer.kind === 'broken') return false;
    const { agents } = layer.policy;
    if (!agents) return true;
    const everyone = Object.hasOwn(agents, '*') ? agents['*'] : undefined;
    const own = Object.hasOwn(agents, agent) ? agents[agent] : everyone;
    const rules = [own, everyone].filter((rule) => rule !== undefined);
    return own !== undefined && allows(own) && rules.every(deniesNothing);
  });
}

function allows({ methods = ['*'], tools, prompts, resources }: AgentRule): boolean {
  return [methods, tools, prompts, resources].every((patterns) => patterns?.includes('*') === true);
}

function deniesNothing({ deny = [], readOnly }: AgentRule): boolean {
  return deny.length === 0 && readOnly !== true;
}

/** An entry without a name that can be judged is not shown. */
export function mayList(
  policy: MergedPolicy,
  agent: string,
  scope: GrantScope,
  kind: ListedKind,
  item: JsonValue,
): boolean {
  const { of, field, method } = USES[kind];
  const name = isJsonObject(item) ? item[field] : undefined;
  if (!isJsonObject(item) || typeof name !== 'string' || name.length > maxNameLength) return false;
  const hints = item['annotations'];
  const readOnlyHint = isJsonObject(hints) && hints['readOnlyHint'] === true;
  const asking = { agent, scope, annotations: () => ({ readOnlyHint }) };
  return judge(policy, asking, { kind: 'use', method, of, names: [name] }).allowed;
}
