import { expect, it } from 'vitest';
import { accessChanges, changedScope, tickedTools, toolChoices } from '../../../src/extension/accessChange.ts';
import { english } from './english.ts';
import { grant, nowMs, toolRules } from './samples.ts';

const byGrant = { kind: 'denied', rule: 'the grant', reason: 'not named', because: 'grant' } as const;
const byRule = { ...byGrant, because: 'rule' } as const;

it('ticks what the grant gives, whatever the policy says of it', () => {
  const rules = toolRules({
    agents: [{ grant: 'g1', name: 'laptop', readOnly: false }],
    tools: [
      { name: 'given', readOnly: true, verdicts: [{ kind: 'allowed' }] },
      { name: 'ruled-out', readOnly: false, verdicts: [byRule] },
      { name: 'not-given', readOnly: false, verdicts: [byGrant] },
    ],
  });
  const own = grant({ scope: { servers: ['s1'], tools: ['given', 'ruled-*', 'of-another-server'] } });
  expect(toolChoices([rules], own)).toEqual([
    { name: 'given', readOnly: true, picked: true, listed: true },
    { name: 'ruled-out', readOnly: false, picked: true, listed: true },
    { name: 'not-given', readOnly: false, picked: false, listed: true },
    { name: 'of-another-server', readOnly: false, picked: true, listed: false },
  ]);
});

it('leaves the patterns of a grant alone when no tick was changed', () => {
  const scope = { servers: ['s1'], tools: ['get-*'] };
  const choices = [
    { name: 'get-sum', readOnly: false, picked: true, listed: true },
    { name: 'echo', readOnly: false, picked: false, listed: true },
  ];
  expect(tickedTools(choices, new Set(['get-sum']), scope)).toEqual(['get-*']);
  expect(tickedTools(choices, new Set(['get-sum', 'echo']), scope)).toEqual(['get-sum', 'echo']);
  expect(tickedTools(choices, new Set(), scope)).toEqual([]);
  expect(tickedTools(choices, new Set(['get-sum']), { readOnly: true })).toEqual(['get-sum']);
});

it('keeps the other lists and the servers of a grant', () => {
  const before = { servers: ['s1'], tools: ['echo'], prompts: ['p'], readOnly: true };
  const after = { readOnly: false, expiresMs: nowMs };
  expect(changedScope(before, { ...after, tools: ['get-sum'] })).toEqual({
    servers: ['s1'],
    prompts: ['p'],
    tools: ['get-sum'],
  });
  expect(changedScope(before, { ...after, tools: 'all' })).toEqual({ servers: ['s1'], prompts: ['p'], tools: ['*'] });
  expect(changedScope({ servers: ['s1'], tools: ['echo'] }, { ...after, tools: 'all', readOnly: true })).toEqual({
    servers: ['s1'],
    readOnly: true,
  });
});

it('says in words what becomes another, and nothing where nothing does', () => {
  const before = grant({ scope: { servers: ['s1'] } });
  expect(accessChanges(before, before, english)).toEqual([]);
  const narrow = { scope: { servers: ['s1'], tools: ['echo'], readOnly: true }, expiresMs: before.expiresMs };
  expect(accessChanges(before, narrow, english)).toEqual([
    'Tools: everything the policy allows → echo',
    'Prompts and resources are no longer given.',
    'Only tools that say they change nothing may be called.',
  ]);
  const narrowed = grant(narrow);
  const other = { scope: { servers: ['s1'], tools: ['get-sum'] }, expiresMs: before.expiresMs + 3_600_000 };
  const [tools, lost, writes, ends] = accessChanges(narrowed, other, english);
  expect([tools, lost, writes]).toEqual([
    'Tools: echo → get-sum',
    'No longer: echo',
    'Tools that may change things can be called.',
  ]);
  expect(ends).toMatch(/^Ends: .+ → .+/);
});
