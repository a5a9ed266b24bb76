import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, type Decision } from '../../../src/policy/decide.ts';
import { matchesGlob } from '../../../src/policy/glob.ts';
import { mergePolicies, type PolicyOrigin } from '../../../src/policy/mergedPolicy.ts';
import type { AgentRule } from '../../../src/policy/policySchema.ts';

const wide: AgentRule = { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'] };

type Asks = { origin: PolicyOrigin; agent: string; ask: string[] };

function decided(files: readonly Asks[], method: string, params: { name?: string }, more: AgentRule = {}): Decision {
  const sources = files.map(({ origin, agent, ask }) => ({
    origin,
    file: `/${origin}`,
    kind: 'read' as const,
    policy: { version: 1 as const, agents: { '*': wide, [agent]: { ...wide, ...more, ask } } },
  }));
  return decide(mergePolicies(sources), {
    agent: 'claude',
    scope: {},
    messages: [{ kind: 'request', id: 1, method, params }],
    annotations: () => undefined,
  });
}

describe('ask', () => {
  it('holds what any file asks for, of the agent or of all, and nothing else', () => {
    const pattern = fc.constantFrom('write*', 'read', '*', 'x', '*e*');
    const file = fc.record({
      origin: fc.constantFrom<PolicyOrigin>('managed', 'user', 'workspace'),
      agent: fc.constantFrom('*', 'claude', 'other'),
      ask: fc.array(pattern, { maxLength: 3 }),
    });
    const files = fc.uniqueArray(file, { minLength: 1, selector: ({ origin }) => origin });
    fc.assert(
      fc.property(files, fc.constantFrom('write_file', 'read', 'y'), (asks, name) => {
        const isAsked = asks.some(({ agent, ask }) => agent !== 'other' && ask.some((one) => matchesGlob(one, name)));
        expect(decided(asks, 'tools/call', { name }).kind).toBe(isAsked ? 'ask' : 'allow');
      }),
    );
  });

  it('names the rule, is about calls of tools alone, and never lets pass what is denied', () => {
    const files: Asks[] = [{ origin: 'user', agent: 'claude', ask: ['x', '*'] }];
    const rule = 'user agents["claude"].ask[1]';
    expect(decided(files, 'tools/call', { name: 'echo' })).toEqual({ kind: 'ask', rule });
    expect(decided(files, 'tools/list', {}).kind).toBe('allow');
    expect(decided(files, 'prompts/get', { name: 'x' }).kind).toBe('allow');
    expect(decided(files, 'tools/call', { name: 'echo' }, { deny: ['echo'] }).kind).toBe('deny');
  });
});
