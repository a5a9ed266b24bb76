// May this agent send these messages: yes, with the rule that says so; no, with the first message that may not pass; or a
// person has to agree first.
// Pure: the same policy, grant and messages give the same decision.
import type { RpcMessage } from '../mcp/message.ts';
import { judge } from './access.ts';
import { askRule } from './asks.ts';
import type { Annotations, GrantScope } from './finding.ts';
import type { MergedPolicy } from './mergedPolicy.ts';
import { maxSteps } from './stepBudget.ts';
import { subjectOf } from './subject.ts';

export type DecisionRequest = {
  /** Name of the grant; a key of `agents` in policy files. */
  agent: string;
  scope: GrantScope;
  /** One, or the elements of a batch; none for a GET or DELETE. */
  messages: readonly RpcMessage[];
  /** What the server said of a tool; `undefined` for one it never listed. */
  annotations: Annotations;
};

export type Decision =
  | { kind: 'allow'; rule: string }
  /** It may be sent once a person agrees; `rule` is the one that asks. */
  | { kind: 'ask'; rule: string }
  | { kind: 'deny'; rule: string; reason: string; messageIndex: number };

export function decide(policy: MergedPolicy, { agent, scope, annotations, messages }: DecisionRequest): Decision {
  const asking = { agent, scope, annotations, budget: { left: maxSteps } };
  if (messages.length === 0) {
    // A stream or the end of a session: no rule names it, but a policy that cannot be read denies it.
    const finding = judge(policy, asking, { kind: 'free' });
    return finding.allowed
      ? { kind: 'allow', rule: finding.rule }
      : { kind: 'deny', ...denial(finding), messageIndex: 0 };
  }
  let rule: string | undefined;
  let asks: string | undefined;
  for (const [messageIndex, message] of messages.entries()) {
    const subject = subjectOf(message);
    const finding = judge(policy, asking, subject);
    if (!finding.allowed) return { kind: 'deny', ...denial(finding), messageIndex };
    rule ??= finding.rule;
    asks ??= askRule(policy, agent, subject);
  }
  if (asks !== undefined) return { kind: 'ask', rule: asks };
  return { kind: 'allow', rule: rule ?? '' };
}

function denial({ rule, reason }: { rule: string; reason: string }): { rule: string; reason: string } {
  return { rule, reason };
}
