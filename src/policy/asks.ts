// Which calls of tools a person has to agree to: what any file asks for, of the agent's own entry and of the one for all.
import type { Governed } from './finding.ts';
import { firstMatch } from './glob.ts';
import type { MergedPolicy } from './mergedPolicy.ts';
import type { AgentRule } from './policySchema.ts';
import type { Subject } from './subject.ts';

/** The rule that asks, for the log; `undefined` where none does. */
export function askRule({ layers }: MergedPolicy, agent: string, subject: Subject): string | undefined {
  if (subject.kind !== 'use' || subject.of !== 'tool') return undefined;
  for (const layer of layers) {
    const agents = layer.kind === 'rules' ? layer.policy.agents : undefined;
    if (!agents) continue;
    for (const key of agent === '*' ? ['*'] : [agent, '*']) {
      const patterns = Object.hasOwn(agents, key) ? agents[key]?.ask : undefined;
      if (patterns === undefined || patterns.length === 0) continue;
      const place = subject.names.map((name) => firstMatch(patterns, name)).find((found) => found >= 0);
      if (place !== undefined) return `${layer.origin} agents[${JSON.stringify(key)}].ask[${place}]`;
    }
  }
  return undefined;
}

/** A call that may be one of a tool, written in another way, cannot be compared with what is asked for. */
export function mayHideTool({ ask = [] }: AgentRule, subject: Governed): boolean {
  return ask.length > 0 && subject.kind === 'unknown-use' && subject.of.includes('tool');
}
