// Which entries of a server's lists an agent may see: exactly those that it may use.
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { judge, type GrantScope } from './access.ts';
import type { MergedPolicy } from './mergedPolicy.ts';
import type { Named } from './subject.ts';

export type ListedKind = 'tool' | 'prompt' | 'resource' | 'resourceTemplate';

const USES: Readonly<Record<ListedKind, { of: Named; field: string; method: string }>> = {
  tool: { of: 'tool', field: 'name', method: 'tools/call' },
  prompt: { of: 'prompt', field: 'name', method: 'prompts/get' },
  resource: { of: 'resource', field: 'uri', method: 'resources/read' },
  // Judged by its own text: `file:///docs/{path}` is under `file:///docs/*`. What it expands to is judged when it is read.
  resourceTemplate: { of: 'resource', field: 'uriTemplate', method: 'resources/read' },
};

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
  if (!isJsonObject(item) || typeof name !== 'string') return false;
  const hints = item['annotations'];
  const readOnlyHint = isJsonObject(hints) && hints['readOnlyHint'] === true;
  const asking = { agent, scope, annotations: () => ({ readOnlyHint }) };
  return judge(policy, asking, { kind: 'use', method, of, names: [name] }).allowed;
}
