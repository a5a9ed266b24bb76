import { expect, it } from 'vitest';
import { agentTree, maxGrantsShown, type AgentTreeInput } from '../../../src/extension/agentTree.ts';
import type { TreeNode } from '../../../src/extension/treeNode.ts';
import { english } from './english.ts';
import { agentSeen, grant, nowMs, tunnel } from './samples.ts';

const hourMs = 3_600_000;
const treeOf = (input: Partial<AgentTreeInput>): TreeNode[] =>
  agentTree({ grants: [grant()], tunnels: [], servers: [], holds: () => false, ...input }, nowMs, english);
const lines = (nodes: readonly TreeNode[]): string[] =>
  nodes.map(({ label, description }) => `${label}: ${description}`);

it('says of each grant how long it works, what it gives, and where a paired one went', () => {
  const grants = [
    grant({ id: 'a', name: 'laptop', expiresMs: nowMs + 8 * hourMs - 90_000 }),
    grant({ id: 'b', name: 'reader', scope: { servers: ['s1'], readOnly: true, tools: ['echo', 'get-sum'] } }),
    grant({ id: 'c', name: 'Claude', paired: { client: 'Claude', redirectHost: 'claude.ai' } }),
    grant({ id: 'd', name: 'lists', scope: { servers: ['s1'], tools: [], prompts: ['p'], resources: ['*'] } }),
  ];
  const nodes = treeOf({ grants });
  expect(lines(nodes)).toEqual([
    'laptop: 8h left · full access',
    'reader: 60m left · read-only · 2 tools',
    'Claude: 60m left · full access · paired, claude.ai',
    'lists: 60m left · no tools · 1 prompt · all resources',
  ]);
  expect(nodes[1]?.tooltip).toContain('Tools: echo, get-sum');
  expect(nodes[2]?.tooltip).toContain('access went to claude.ai');
});

it('says how long in one unit', () => {
  const left = (ms: number) => treeOf({ grants: [grant({ expiresMs: nowMs + ms })] })[0]?.description?.split(' · ')[0];
  expect([30_000, 90 * 60_000, 119 * 60_000, 3 * hourMs, 40 * hourMs, 7 * 24 * hourMs].map(left)).toEqual([
    '1m left',
    '90m left',
    '119m left',
    '3h left',
    '40h left',
    '7d left',
  ]);
});

it('says how an agent is recognised that holds no token', () => {
  const jwt = { kind: 'jwt', issuer: 'https://issuer.example', audience: 'a' } as const;
  const ways = [{ kind: 'path-secret' }, { kind: 'certificate', ca: 'ab' }, jwt] as const;
  const nodes = treeOf({ grants: ways.map((way, index) => grant({ id: `${index}`, way })) });
  expect(nodes.map(({ description, icon, context }) => [description?.split(' · ')[2], icon?.name, context])).toEqual([
    ['secret URL', 'link', 'grant.secret'],
    ['client certificate', 'verified', 'grant.way'],
    ['JWT of https://issuer.example', 'shield', 'grant.way'],
  ]);
});

it('shows below it who calls with it from where, and which servers it reaches', () => {
  const open = tunnel({
    agents: [
      agentSeen({ visitor: '203.0.113.7:51234' }),
      agentSeen({ grant: { id: 'other', name: 'x' }, name: 'cursor' }),
    ],
  });
  const [node] = treeOf({
    grants: [grant({ scope: { servers: ['s1', 's2', 's3', '*'] } })],
    tunnels: [open],
    servers: [{ id: 's2', name: 'search' }],
  });
  expect(lines(node!.children)).toEqual([
    'claude-code: 203.0.113.7 · 3 calls · 1 refused · 12s ago',
    'everything: everything-x7k2.tunnel.localhost',
    'search: not exposed',
    'A server of another workspace: not exposed',
    'Every exposed server: also those exposed later',
  ]);
  expect(node?.icon?.color).toBe('charts.green');
});

it('says that nobody is connected where nobody has called', () => {
  const [node] = treeOf({});
  expect(lines(node!.children)[0]).toBe('Not connected: no call since its tunnel opened');
  expect(node?.icon?.color).toBeUndefined();
});

it('offers copying only of tokens held here, and rotation only of tokens', () => {
  const paired = { client: 'Claude', redirectHost: 'claude.ai' };
  const grants = [grant({ id: 'a' }), grant({ id: 'b' }), grant({ id: 'c', paired })];
  const nodes = treeOf({ grants, holds: (id) => id === 'a' });
  expect(nodes.map(({ context }) => context)).toEqual(['grant.token.held', 'grant.token', 'grant.paired']);
});

it('folds what ended into one row, the newest end first', () => {
  const grants = [
    grant({ id: 'old', name: 'old', expiresMs: nowMs - 2 * hourMs }),
    grant({ id: 'gone', name: 'gone', revokedMs: nowMs - hourMs }),
    grant({ id: 'now', name: 'now', expiresMs: nowMs }),
    grant({ id: 'live', name: 'live' }),
  ];
  const nodes = treeOf({ grants });
  expect(lines(nodes)).toEqual(['live: 60m left · full access', 'Ended (3): let nobody in any more']);
  expect(nodes[1]?.folded).toBe(true);
  expect(lines(nodes[1]!.children)).toEqual(['now: expired just now', 'gone: revoked 1h ago', 'old: expired 2h ago']);
  expect(nodes[1]?.children[0]?.context).toBe('grant.ended');
});

it('counts what it has no room for', () => {
  const many = (ended: boolean) =>
    Array.from({ length: maxGrantsShown + 2 }, (_, index) =>
      grant({ id: `${ended}${index}`, ...(ended ? { revokedMs: nowMs } : {}) }),
    );
  const nodes = treeOf({ grants: [...many(false), ...many(true)] });
  expect(nodes.slice(maxGrantsShown).map(({ label }) => label)).toEqual([
    'and 2 more',
    `Ended (${maxGrantsShown + 2})`,
  ]);
  expect(nodes.at(-1)?.children.at(-1)?.label).toBe('and 2 more');
});

it('shows the words of strangers on one line and without what turns text around', () => {
  const agents = [agentSeen({ name: 'a\nb\u202Ec', visitor: '\u0007::1' })];
  const [node] = treeOf({ grants: [grant({ name: 'x\ny' })], tunnels: [tunnel({ agents })] });
  expect(node?.label).toBe('x?y');
  expect(node?.children[0]?.label).toBe('a?b?c');
  expect(node?.children[0]?.description).toMatch(/^\?::1 /);
});

it('keeps the identity of rows when their numbers change', () => {
  const ids = (nodes: readonly TreeNode[]): string[] => nodes.flatMap(({ id, children }) => [id, ...ids(children)]);
  const at = (calls: number) => ids(treeOf({ tunnels: [tunnel({ agents: [agentSeen({ calls })] })] }));
  expect(at(1)).toEqual(at(2));
  expect(new Set(at(1)).size).toBe(at(1).length);
});
