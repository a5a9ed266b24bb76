import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { withRuleEdit, type RuleEdit } from '../../../src/policy/agentRuleEdits.ts';
import { decide } from '../../../src/policy/decide.ts';
import { mergePolicies, userDefaults } from '../../../src/policy/mergedPolicy.ts';
import { parsePolicy } from '../../../src/policy/policyFile.ts';
import type { Policy } from '../../../src/policy/policySchema.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';
import { PolicyStore } from '../../../src/policy/policyStore.ts';

const deny = (tool: string, agent = 'claude'): RuleEdit => ({ agent, tool, access: 'denied' });
const allow = (tool: string, agent = 'claude'): RuleEdit => ({ agent, tool, access: 'allowed' });
const readOnly = (value: boolean, agent = 'claude'): RuleEdit => ({ agent, readOnly: value });

const edited = (agents: Policy['agents'] | undefined, edit: RuleEdit): Policy['agents'] => {
  const text = JSON.stringify({ version: 1, ...(agents ? { agents } : {}) });
  return parsePolicy(withRuleEdit(text, edit, '/u'), '/u').agents;
};
const { '*': usual } = userDefaults.agents;
const { methods, tools, prompts, resources } = usual;
const copied = { methods, tools, prompts, resources };

describe('withRuleEdit', () => {
  const rows: [string, Policy['agents'] | undefined, RuleEdit, Policy['agents']][] = [
    [
      'denies in a file that says nothing of agents',
      undefined,
      deny('rm'),
      { '*': usual, claude: { ...copied, deny: ['rm'] } },
    ],
    ['denies to all', undefined, deny('rm', '*'), { '*': { ...usual, deny: ['rm'] } }],
    [
      'denies in an entry that is there',
      { claude: { tools: ['*'] } },
      deny('rm'),
      { claude: { tools: ['*'], deny: ['rm'] } },
    ],
    ['leaves what is denied already', { claude: { deny: ['r*'] } }, deny('rm'), { claude: { deny: ['r*'] } }],
    ['leaves what is denied to all', { '*': { deny: ['rm'] } }, deny('rm'), { '*': { deny: ['rm'] } }],
    [
      'frees what was denied',
      { claude: { tools: ['*'], deny: ['a', 'rm', 'b', 'rm'] } },
      allow('rm'),
      { claude: { tools: ['*'], deny: ['a', 'b'] } },
    ],
    ['names what was not allowed', { claude: { tools: ['a'] } }, allow('rm'), { claude: { tools: ['a', 'rm'] } }],
    ['leaves what is allowed to all', { '*': { tools: ['r*'] } }, allow('rm'), { '*': { tools: ['r*'] } }],
    [
      'copies what all may before it names one more',
      { '*': { tools: ['a'], prompts: ['p'], deny: ['d'], readOnly: true } },
      allow('rm'),
      {
        '*': { tools: ['a'], prompts: ['p'], deny: ['d'], readOnly: true },
        claude: { tools: ['a', 'rm'], prompts: ['p'] },
      },
    ],
    ['allows where nothing was', {}, allow('rm', '*'), { '*': { tools: ['rm'] } }],
    ['makes read-only', { claude: { tools: ['a'] } }, readOnly(true), { claude: { tools: ['a'], readOnly: true } }],
    ['makes all read-only', undefined, readOnly(true, '*'), { '*': { ...usual, readOnly: true } }],
    ['leaves read-only what all are', { '*': { readOnly: true } }, readOnly(true), { '*': { readOnly: true } }],
    ['lets write again', { claude: { readOnly: true } }, readOnly(false), { claude: { readOnly: false } }],
    ['makes no entry to say what holds anyway', { '*': { tools: ['a'] } }, readOnly(false), { '*': { tools: ['a'] } }],
  ];
  it.each(rows)('%s', (_what, before, edit, after) => {
    expect(edited(before, edit)).toEqual(after);
  });

  it('writes a new file with the defaults spelled out', () => {
    const text = withRuleEdit(undefined, deny('rm', '*'), '/u');
    expect(parsePolicy(text, '/u')).toEqual({ ...userDefaults, agents: { '*': { ...usual, deny: ['rm'] } } });
    expect(text).toMatch(/^\/\/ Where tunnels may go out to/);
  });

  it.each<[string, RuleEdit]>([
    ['pattern', deny('get-*')],
    ['cannot', deny('')],
    ['no rule can name the tool', deny('a\nb')],
    ['no rule can name the tool', deny('x'.repeat(513))],
    ['name a method', deny('tools/call')],
    ['name a method', allow('tools/callMany')],
    ['no rule can name the agent', deny('rm', '__proto__')],
    ['no rule can name the agent', deny('rm', 'c*')],
    ['no rule can name the agent', readOnly(true, '')],
  ])('refuses what a rule cannot say: %s', (words, edit) => {
    const act = (): string => withRuleEdit('{"version":1}', edit, '/u');
    expect(act).toThrow(expect.objectContaining({ code: 'USAGE' }) as Error);
    if (words !== 'cannot') expect(act).toThrow(words);
  });

  it('takes a tool with a slash for what it is', () => {
    expect(edited({ claude: {} }, deny('github/search'))).toEqual({ claude: { deny: ['github/search'] } });
  });

  it('leaves a file alone that cannot be read', () => {
    expect(() => withRuleEdit('{"version":2}', deny('rm'), '/u')).toThrow(
      expect.objectContaining({ code: 'POLICY_INVALID', data: { file: '/u', path: 'version', line: 1 } }) as Error,
    );
  });
});

const names = fc.constantFrom('rm', 'echo', 'look', 'a b', 'ünï', 'x"y', '//no', '/no/', '__proto_', 'constructor');
const list = fc.array(fc.oneof(names, fc.constantFrom('*', 'r*', 'e*')), { maxLength: 4 });
const rule = fc.record(
  { methods: fc.constant(['*']), tools: list, prompts: list, deny: list, readOnly: fc.boolean() },
  { requiredKeys: [] },
);
const policies = fc.record(
  { version: fc.constant(1 as const), agents: fc.record({ '*': rule, claude: rule, ci: rule }, { requiredKeys: [] }) },
  { requiredKeys: ['version'] },
);
const edits: fc.Arbitrary<RuleEdit> = fc.oneof(
  fc.record({
    agent: fc.constantFrom('claude', '*', 'new'),
    tool: names,
    access: fc.constantFrom('allowed', 'denied'),
  }),
  fc.record({ agent: fc.constantFrom('claude', '*', 'new'), readOnly: fc.boolean() }),
);
/** A comment before and behind each line; trailing commas where JSON with comments has them. */
const written = (policy: Policy, { indent, commas }: { indent: number; commas: boolean }): string =>
  JSON.stringify(policy, null, indent)
    .split('\n')
    .map((line, at, lines) => {
      const comma = commas && /[^,{[]$/.test(line) && /^ *[}\]]/.test(lines[at + 1] ?? '') ? ',' : '';
      return `/* b${at}. */${line}${comma} // a${at}.`;
    })
    .join('\n');
const comments = (text: string): string[] => text.match(/\/\* b\d+\. \*\/|\/\/ a\d+\./g) ?? [];

describe('an edit of any policy', () => {
  it('keeps every comment, touches no other agent, is said once, and has its effect in this file', () => {
    fc.assert(
      fc.property(policies, edits, fc.record({ indent: fc.nat(4), commas: fc.boolean() }), (policy, edit, layout) => {
        const before = written(policy as Policy, layout);
        const after = withRuleEdit(before, edit, '/u');
        const parsed = parsePolicy(after, '/u');
        expect(comments(after).toSorted()).toEqual(comments(before).toSorted());
        expect(withRuleEdit(after, edit, '/u')).toBe(after);
        const others = ({ agents }: Policy): object =>
          Object.fromEntries(Object.entries(agents ?? userDefaults.agents).filter(([name]) => name !== edit.agent));
        expect(others(parsed)).toEqual(others(policy as Policy));
        if (!('tool' in edit) || edit.access === 'allowed') return;
        const merged = mergePolicies([{ origin: 'user', file: '/u', kind: 'read', policy: parsed }]);
        const call = { kind: 'request', id: 1, method: 'tools/call', params: { name: edit.tool } } as const;
        const agent = edit.agent === '*' ? 'anybody' : edit.agent;
        const asking = { agent, scope: {}, messages: [call], annotations: () => ({ readOnlyHint: true }) };
        expect(decide(merged, asking).kind).toBe('deny');
      }),
      { numRuns: 200 },
    );
  });

  it('that is taken back allows what it denied', () => {
    fc.assert(
      fc.property(names, fc.constantFrom('claude', '*'), (tool, agent) => {
        const start = withRuleEdit(undefined, deny('other', agent), '/u');
        const back = withRuleEdit(withRuleEdit(start, deny(tool, agent), '/u'), allow(tool, agent), '/u');
        expect(parsePolicy(back, '/u').agents?.[agent]?.deny).toEqual(['other']);
      }),
    );
  });
});

describe('PolicyStore.editRule', () => {
  const wide = { '*': { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'] } };
  const writes = () => ({ readOnlyHint: false });
  const reads = () => ({ readOnlyHint: true });

  async function world(files: Record<string, object>): Promise<{ store: PolicyStore; texts: Map<string, string> }> {
    const memory = new MemoryFiles();
    for (const [path, agents] of Object.entries(files)) {
      memory.texts.set(path, JSON.stringify({ version: 1, agents }));
    }
    const locations = { managed: '/managed', user: '/user', workspaces: ['/w'] };
    const store = new PolicyStore({ files: memory, locations, clock: new FakeClock() });
    onTestFinished(() => store.close());
    await store.load();
    return { store, texts: memory.texts };
  }

  it('holds at once', async () => {
    const { store } = await world({ '/user': wide });
    const call = { kind: 'request', id: 1, method: 'tools/call', params: { name: 'rm' } } as const;
    const kind = () => decide(store.current, { agent: 'claude', scope: {}, messages: [call], annotations: reads }).kind;
    expect(await store.editRule(deny('rm'), reads)).toBe('/user');
    expect(kind()).toBe('deny');
    await store.editRule(allow('rm'), reads);
    expect(kind()).toBe('allow');
  });

  it.each<[string, Record<string, object>, RuleEdit, string, string]>([
    [
      'a managed file',
      { '/managed': { '*': { tools: ['*'], deny: ['rm'] } } },
      allow('rm'),
      '/managed',
      'managed agents["*"].deny[0]',
    ],
    [
      'a managed file without the agent',
      { '/managed': { ci: { tools: ['*'] } } },
      allow('rm'),
      '/managed',
      'managed agents',
    ],
    ['a workspace', { '/w': { '*': { tools: ['echo'] } } }, allow('rm'), '/w', 'workspace agents["*"].tools'],
    [
      'a pattern of the same entry',
      { '/user': { claude: { tools: ['*'], deny: ['r*'] } } },
      allow('rm'),
      '/user',
      'user agents["claude"].deny[0]',
    ],
    [
      'what is denied to all',
      { '/user': { '*': { tools: ['*'], deny: ['rm'] } } },
      allow('rm'),
      '/user',
      'user agents["*"].deny[0]',
    ],
    [
      'a list of methods',
      { '/user': { claude: { methods: ['prompts/*'] } } },
      allow('rm'),
      '/user',
      'user agents["claude"].methods',
    ],
    [
      'read-only',
      { '/user': { claude: { tools: ['*'], readOnly: true } } },
      allow('rm'),
      '/user',
      'user agents["claude"].readOnly',
    ],
    [
      'read-only of all',
      { '/user': { '*': { readOnly: true } } },
      readOnly(false),
      '/user',
      'user agents["*"].readOnly',
    ],
    [
      'read-only of a managed file',
      { '/managed': { claude: { readOnly: true } } },
      readOnly(false),
      '/managed',
      'managed agents["claude"].readOnly',
    ],
  ])('says that %s still refuses, and writes nothing', async (_who, files, edit, file, rule) => {
    const { store, texts } = await world(files);
    const before = new Map(texts);
    const refused = store.editRule(edit, writes);
    await expect(refused).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(rule) as string,
      data: { file, rule },
    });
    if (file === '/managed') await expect(refused).rejects.toThrow('administrator');
    expect(texts).toEqual(before);
  });

  it('two windows that edit at once lose nothing', async () => {
    const { store, texts } = await world({ '/user': wide });
    const tools = Array.from({ length: 10 }, (_, index) => `tool${index}`);
    await Promise.all(tools.map((tool) => store.editRule(deny(tool), reads)));
    expect(parsePolicy(texts.get('/user')!, '/user').agents?.['claude']?.deny).toEqual(tools);
  });
});
