// The one place where rules are applied: every file's rule for the agent, then the grant. Lists are filtered and calls
// are decided by the same answer, so what is hidden is refused and what is shown can be called.
import { judgeAllowances, judgeGrant } from './allowances.ts';
import { judgeDenials } from './denials.ts';
import { refused, shown, type Asking, type Finding, type Governed } from './finding.ts';
import type { MergedPolicy, PolicyLayer } from './mergedPolicy.ts';
import type { Subject } from './subject.ts';

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
  return deniedToAll ?? judgeAllowances(rule, `${label(key)}.`, subject);
}
