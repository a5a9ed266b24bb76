import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../src/policy/decide.ts';
import { mergePolicies, type MergedPolicy, type PolicySource } from '../../../src/policy/mergedPolicy.ts';
import type { AgentRule } from '../../../src/policy/policySchema.ts';
import { isReadOnly, toolVerdict, unknownNames } from '../../../src/policy/toolRules.ts';

const everything: AgentRule = { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'] };
const source = (agents: Record<string, AgentRule>, origin: 'user' | 'managed' = 'user'): PolicySource => ({
  origin,
  file: `/${origin}`,
  kind: 'read',
  policy: { version: 1, agents },
});
const policyOf = (...sources: PolicySource[]): MergedPolicy => mergePolicies(sources);
const annotations = (tool: string) => ({ readOnlyHint: tool === 'look' });

describe('toolVerdict', () => {
  it.each([
    [{ '*': everything }, {}, { kind: 'allowed' }],
    [
      { '*': { ...everything, deny: ['rm'] } },
      {},
      { kind: 'denied', because: 'rule', rule: 'user agents["*"].deny[0]' },
    ],
    [{ ci: everything }, {}, { kind: 'denied', because: 'rule', rule: 'user agents' }],
    [
      { '*': { ...everything, readOnly: true } },
      {},
      { kind: 'denied', because: 'read-only', rule: 'user agents["*"].readOnly' },
    ],
    [{ '*': everything }, { readOnly: true }, { kind: 'denied', because: 'read-only', rule: 'grant readOnly' }],
    [{ '*': everything }, { tools: ['echo'] }, { kind: 'denied', because: 'grant', rule: 'grant tools' }],
    [{ '*': everything }, { prompts: ['p'] }, { kind: 'denied', because: 'grant', rule: 'grant prompts' }],
  ] satisfies [Record<string, AgentRule>, object, object][])(
    'under %j and the grant %j is %j',
    (agents, scope, verdict) => {
      expect(toolVerdict(policyOf(source(agents)), { name: 'claude', scope }, 'rm', annotations)).toMatchObject(
        verdict,
      );
    },
  );

  it('is conditional where a rule demands something of arguments, of all or of this agent', () => {
    const required = { required: ['path'] };
    const kind = (agents: Record<string, AgentRule>) =>
      toolVerdict(policyOf(source(agents)), { name: 'claude', scope: {} }, 'rm', annotations);
    const conditional = { kind: 'allowed', conditional: true };
    expect(kind({ '*': { ...everything, arguments: { 'r*': required } } })).toEqual(conditional);
    expect(kind({ '*': { ...everything, arguments: { rm: required } }, claude: everything })).toEqual(conditional);
    expect(kind({ '*': { ...everything, arguments: { echo: required } } })).toEqual({ kind: 'allowed' });
    expect(kind({ '*': everything, other: { ...everything, arguments: { rm: required } } })).toEqual({
      kind: 'allowed',
    });
  });

  it('is what a call gets', () => {
    const names = fc.constantFrom('rm', 'echo', 'look');
    const patterns = fc.array(fc.constantFrom('*', 'e*', 'rm', 'look', 'tools/*'), { maxLength: 3 });
    const lists = { methods: patterns, tools: patterns, prompts: patterns };
    const rule = fc.record({ ...lists, deny: patterns, readOnly: fc.boolean() }, { requiredKeys: [] });
    const agents = fc.record({ '*': rule, claude: rule }, { requiredKeys: [] });
    const scope = fc.record({ ...lists, readOnly: fc.boolean() }, { requiredKeys: [] });
    fc.assert(
      fc.property(agents, scope, names, (entries, granted, tool) => {
        const policy = policyOf(source(entries));
        const messages = [{ kind: 'request', id: 1, method: 'tools/call', params: { name: tool } }] as const;
        const decision = decide(policy, { agent: 'claude', scope: granted, messages, annotations });
        const verdict = toolVerdict(policy, { name: 'claude', scope: granted }, tool, annotations);
        expect(verdict.kind).toBe(decision.kind === 'allow' ? 'allowed' : 'denied');
        if (decision.kind === 'deny') expect(verdict).toMatchObject({ rule: decision.rule, reason: decision.reason });
      }),
    );
  });
});

describe('isReadOnly', () => {
  it('is so by grant, by the agent’s rule, and by the rule for all', () => {
    const policy = policyOf(source({ '*': everything, ci: { ...everything, readOnly: true } }));
    const all = policyOf(source({ '*': everything }), source({ '*': { readOnly: true } }, 'managed'));
    expect(isReadOnly(policy, { name: 'claude', scope: {} })).toBe(false);
    expect(isReadOnly(policy, { name: 'claude', scope: { readOnly: true } })).toBe(true);
    expect(isReadOnly(policy, { name: 'ci', scope: {} })).toBe(true);
    expect(isReadOnly(all, { name: 'claude', scope: {} })).toBe(true);
  });
});

describe('unknownNames', () => {
  const hasTool = (name: string): boolean => name === 'echo';
  const grants = [{ name: 'claude', scope: { tools: ['echo', 'ehco', 'get-*'] } }];

  it('finds what no tool is called, in rules of files and in grants', () => {
    const rule = { tools: ['echo', 'ecoh', '*'], deny: ['echo', 'remove'], arguments: { 'e*': {}, echp: {} } };
    const policy = policyOf(
      source({ '*': rule }),
      source({ claude: { tools: ['exho'] }, other: { tools: ['x'] } }, 'managed'),
    );
    expect(unknownNames(policy, grants, { hasTool, hasPrompts: false })).toEqual([
      { rule: 'user agents["*"].tools[1]', name: 'ecoh' },
      { rule: 'user agents["*"].arguments["echp"]', name: 'echp' },
      { rule: 'user agents["*"].deny[1]', name: 'remove' },
      { rule: 'managed agents["claude"].tools[0]', name: 'exho' },
      { rule: 'grant "claude" tools[1]', name: 'ehco' },
    ]);
  });

  it('says nothing of a denied name that could be a prompt, a URI or a method', () => {
    const policy = policyOf(source({ '*': { deny: ['remove', 'file:///x', 'logging/setLevel'] } }));
    expect(unknownNames(policy, [], { hasTool, hasPrompts: true })).toEqual([]);
    expect(unknownNames(policy, [], { hasTool, hasPrompts: false }).map(({ name }) => name)).toEqual(['remove']);
  });

  it('says each name once, however many grants have the rule', () => {
    const policy = policyOf(source({ '*': { tools: ['ecoh'] }, claude: { tools: ['ecoh'] } }));
    const twice = [
      { name: 'claude', scope: {} },
      { name: 'claude', scope: {} },
    ];
    expect(unknownNames(policy, twice, { hasTool, hasPrompts: false })).toHaveLength(2);
  });
});
