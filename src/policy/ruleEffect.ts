// Whether an edit of the user's file has the effect that was asked for: files are an intersection, and a pattern denies
// what an entry allows, so the user's word alone may change nothing.
import { TunnelError } from '../core/errors.ts';
import { judge } from './access.ts';
import type { RuleEdit } from './agentRuleEdits.ts';
import type { Annotations } from './finding.ts';
import type { MergedPolicy, PolicyLayer } from './mergedPolicy.ts';

/** Throws `CONFLICT` naming the first rule that still refuses; a denial always has its effect. */
export function demandEffect(policy: MergedPolicy, edit: RuleEdit, annotations: Annotations): void {
  for (const layer of policy.layers) {
    const rule = 'tool' in edit ? refusing(policy, layer, edit, annotations) : keepingReadOnly(layer, edit);
    if (rule === undefined) continue;
    const { origin, file } = layer;
    const whose =
      origin === 'managed' ? 'which only the administrator of this machine can change' : 'change that first';
    throw new TunnelError('CONFLICT', `${file} still refuses it (${rule}), ${whose}; nothing was written`, {
      data: { file, rule },
    });
  }
}

function refusing(
  policy: MergedPolicy,
  layer: PolicyLayer,
  { agent, tool, access }: Extract<RuleEdit, { tool: string }>,
  annotations: Annotations,
): string | undefined {
  if (access === 'denied') return undefined;
  const subject = { kind: 'use', method: 'tools/call', of: 'tool', names: [tool] } as const;
  const finding = judge({ ...policy, layers: [layer] }, { agent, scope: {}, annotations }, subject);
  return finding.allowed ? undefined : finding.rule;
}

function keepingReadOnly(
  layer: PolicyLayer,
  { agent, readOnly }: Extract<RuleEdit, { readOnly: boolean }>,
): string | undefined {
  if (readOnly) return undefined;
  if (layer.kind === 'broken') return layer.origin;
  const { agents = {} } = layer.policy;
  const name = [agent, '*'].find((key) => Object.hasOwn(agents, key) && agents[key]?.readOnly === true);
  return name === undefined ? undefined : `${layer.origin} agents[${JSON.stringify(name)}].readOnly`;
}
