import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../../../src/core/json.ts';
import type { RpcMessage } from '../../../src/mcp/message.ts';
import { decide } from '../../../src/policy/decide.ts';
import { mergePolicies, userDefaults, type PolicySource } from '../../../src/policy/mergedPolicy.ts';
import type { AgentRule, Policy } from '../../../src/policy/policySchema.ts';
import { mayList, seesEverything, type ListedKind } from '../../../src/policy/visible.ts';

const names = fc.constantFrom('echo', 'Echo', 'rm', 'look', 'file:///a', 'file:///a/../b', 'file:///{x}', 'x\n', '');
const patterns = fc.array(fc.constantFrom('*', 'echo', 'e*', 'file:///*', '*o', 'rm', 'tools/*', 'look'), {
  maxLength: 3,
});
const rule: fc.Arbitrary<AgentRule> = fc.record(
  {
    methods: fc.constantFrom<string[][]>(['*'], ['tools/*', 'prompts/*', 'resources/*'], ['tools/call']),
    tools: patterns,
    prompts: patterns,
    resources: patterns,
    deny: patterns,
    readOnly: fc.boolean(),
  },
  { requiredKeys: [] },
);
const scope = fc.record(
  {
    methods: fc.constantFrom<string[][]>(['*'], ['tools/*', 'prompts/*', 'resources/*'], ['tools/call'], []),
    tools: patterns,
    prompts: patterns,
    resources: patterns,
    readOnly: fc.boolean(),
  },
  { requiredKeys: [] },
);
const source = fc
  .record({ '*': rule, ci: rule }, { requiredKeys: [] })
  .map((agents): PolicySource => ({ origin: 'user', file: '/u', kind: 'read', policy: { version: 1, agents } }));
const hints = fc.constantFrom<JsonValue | undefined>(
  undefined,
  {},
  { readOnlyHint: true },
  { readOnlyHint: false },
  'x',
);

const uses: Record<Exclude<ListedKind, 'resourceTemplate'>, [method: string, field: string]> = {
  tool: ['tools/call', 'name'],
  prompt: ['prompts/get', 'name'],
  resource: ['resources/read', 'uri'],
};

describe('mayList', () => {
  it('shows exactly what can be called', () => {
    fc.assert(
      fc.property(
        fc.array(source, { minLength: 1, maxLength: 3 }),
        scope,
        fc.constantFrom<(keyof typeof uses)[]>('tool', 'prompt', 'resource'),
        names,
        hints,
        (sources, scope, kind, name, annotations) => {
          const policy = mergePolicies(sources);
          const [method, field] = uses[kind];
          const item: JsonObject = { [field]: name, ...(annotations === undefined ? {} : { annotations }) };
          const message: RpcMessage = { kind: 'request', id: 1, method, params: { [field]: name } };
          const readOnlyHint = (annotations as { readOnlyHint?: boolean } | undefined)?.readOnlyHint === true;
          const decision = decide(policy, {
            agent: 'ci',
            scope,
            messages: [message],
            annotations: () => ({ readOnlyHint }),
          });
          expect(mayList(policy, 'ci', scope, kind, item)).toBe(decision.kind === 'allow');
        },
      ),
      { numRuns: 1_000 },
    );
  });

  const everything = mergePolicies([{ origin: 'user', file: '/u', kind: 'missing' }]);
  const some = mergePolicies([
    {
      origin: 'user',
      file: '/u',
      kind: 'read',
      policy: { version: 1, agents: { '*': { resources: ['file:///docs/*'] } } },
    },
  ]);

  it('judges a template by its own text', () => {
    const show = (uriTemplate: string): boolean => mayList(some, 'a', {}, 'resourceTemplate', { uriTemplate });
    expect(show('file:///docs/{path}')).toBe(true);
    expect(show('file:///{path}')).toBe(false);
  });

  it.each([null, 1, 'echo', [], {}, { name: 1 }, { name: ['echo'] }])('hides %j, which has no name', (item) => {
    expect(mayList(everything, 'a', {}, 'tool', item)).toBe(false);
  });
});

describe('seesEverything', () => {
  it('says so only where every entry with a name is shown', () => {
    const open = { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'] };
    const mostlyOpen = fc.oneof(fc.constant<object>(open), rule);
    const layer = fc
      .record({ '*': mostlyOpen, ci: mostlyOpen }, { requiredKeys: [] })
      .map((agents): PolicySource => ({ origin: 'user', file: '/u', kind: 'read', policy: { version: 1, agents } }));
    const kinds = fc.constantFrom<(keyof typeof uses)[]>('tool', 'prompt', 'resource');
    fc.assert(
      fc.property(
        fc.array(layer, { minLength: 1, maxLength: 2 }),
        scope,
        kinds,
        names,
        (sources, granted, kind, name) => {
          const policy = mergePolicies(sources);
          if (!seesEverything(policy, 'ci', granted)) return;
          expect(mayList(policy, 'ci', granted, kind, { [uses[kind][1]]: name })).toBe(true);
        },
      ),
    );
  });

  it('is true of the defaults, and of nothing that is narrower', () => {
    const seen = (rules: object, granted: object = {}): boolean => {
      const policy: Policy = { version: 1, agents: { '*': { ...userDefaults.agents['*'], ...rules } } };
      return seesEverything(mergePolicies([{ origin: 'user', file: '/u', kind: 'read', policy }]), 'ci', granted);
    };
    expect(seen({})).toBe(true);
    expect(seesEverything(mergePolicies([{ origin: 'user', file: '/u', kind: 'missing' }]), 'ci', {})).toBe(true);
    for (const rules of [
      { deny: ['x'] },
      { readOnly: true },
      { tools: ['a'] },
      { prompts: [] },
      { methods: ['ping'] },
    ]) {
      expect(seen(rules)).toBe(false);
    }
    expect(seen({}, { tools: ['*'] })).toBe(false);
    expect(seen({}, { readOnly: true })).toBe(false);
    const error = { code: 'POLICY_INVALID', message: '', retryable: false } as const;
    const broken: PolicySource = { origin: 'user', file: '/u', kind: 'broken', error };
    expect(seesEverything(mergePolicies([broken]), 'ci', {})).toBe(false);
  });
});
