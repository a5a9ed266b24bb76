import { expect, it } from 'vitest';
import { maxAgentsShown, maxToolsShown, toolNodes } from '../../../src/extension/toolTree.ts';
import type { TreeNode } from '../../../src/extension/treeNode.ts';
import type { ToolRules } from '../../../src/protocol/control.ts';
import { english } from './english.ts';
import { toolRules, tunnel } from './samples.ts';

const nodeOf = (changes: Partial<ToolRules> = {}): TreeNode =>
  toolNodes(tunnel(), { kind: 'loaded', rules: toolRules(changes) }, english)[0]!;
const lines = (nodes: readonly TreeNode[]): string[] =>
  nodes.map(({ label, description }) => `${label}: ${description}`);

it('waits folded until a person opens it, and is not there before the tunnel has an address', () => {
  expect(toolNodes(tunnel(), undefined, english)).toMatchObject([{ label: 'Tools', pending: true, children: [] }]);
  const { url: _url, ...starting } = tunnel();
  expect(toolNodes(starting, undefined, english)).toEqual([]);
});

it('shows each tool as allowed, read-only or denied, and below it every agent with its verdict', () => {
  const tools = nodeOf();
  expect(tools.description).toBe('2 tools · 1 restricted');
  expect(lines(tools.children)).toEqual(['echo: allowed · read-only', 'write: denied for 1 of 2']);
  const [echo, write] = tools.children;
  expect([echo?.icon?.name, write?.icon?.name]).toEqual(['eye', 'circle-slash']);
  expect([echo?.context, write?.context]).toEqual(['tool.allowed', 'tool.mixed']);
  expect(echo?.folded).toBe(true);
  expect(lines(write!.children)).toEqual([
    'laptop: allowed · some arguments are refused',
    'reader: denied · the agent is read-only',
  ]);
  expect(write?.children.map(({ context }) => context)).toEqual([
    'verdict.allowed',
    'verdict.denied.read-only.readOnly',
  ]);
});

it('names the rule that denies', () => {
  const denied = {
    kind: 'denied',
    rule: 'policy.json: agents["*"].deny[0]',
    reason: 'denied',
    because: 'rule',
  } as const;
  const byGrant = { ...denied, rule: 'the grant', because: 'grant' } as const;
  const { children } = nodeOf({ tools: [{ name: 'echo', readOnly: false, verdicts: [denied, byGrant] }] });
  expect(children[0]).toMatchObject({ description: 'denied', context: 'tool.denied' });
  expect(lines(children[0]!.children)).toEqual([
    'laptop: denied · policy.json: agents["*"].deny[0]',
    'reader: denied · its grant does not name it',
  ]);
  expect(children[0]?.children[0]?.subject).toMatchObject({ tool: 'echo', agent: { grant: 'g1', name: 'laptop' } });
});

it('denies what the answer left out', () => {
  const { children } = nodeOf({ tools: [{ name: 'echo', readOnly: false, verdicts: [] }] });
  expect(children[0]?.children.map(({ icon }) => icon?.name)).toEqual(['circle-slash', 'circle-slash']);
});

it('shows why the server could not be asked, and a click asks again', () => {
  const error = { code: 'UPSTREAM_EXITED', message: 'everything ended', retryable: true } as const;
  const [node] = toolNodes(tunnel(), { kind: 'failed', error }, english);
  expect(node?.children).toMatchObject([
    { label: 'everything ended', description: 'Retry', click: { command: 'mcpTunnel.refreshTools' } },
  ]);
});

it('warns of names in rules that the server does not have', () => {
  const { children } = nodeOf({ unknownNames: [{ rule: 'policy.json: agents["*"].deny[1]', name: 'ehco' }] });
  expect(children[0]).toMatchObject({ label: 'ehco: no such tool', icon: { name: 'warning' } });
  expect(children[0]?.tooltip).toContain('everything does not have');
});

it('has a row for each of two tools of one name, and for names that would break a line', () => {
  const tools = [toolRules().tools[0]!, toolRules().tools[0]!, { ...toolRules().tools[0]!, name: 'a\n\u202Eb' }];
  const { children } = nodeOf({ tools });
  const ids = children.flatMap((node) => [node.id, ...node.children.map(({ id }) => id)]);
  expect(new Set(ids).size).toBe(ids.length);
  expect(children[2]?.label).toBe('a??b');
});

it('counts tools and agents that it has no room for', () => {
  const agents = Array.from({ length: maxAgentsShown + 3 }, (_, index) => ({
    grant: `g${index}`,
    name: `n${index}`,
    readOnly: false,
  }));
  const verdicts = agents.map(() => ({ kind: 'allowed' }) as const);
  const tools = Array.from({ length: maxToolsShown + 7 }, (_, index) => ({
    name: `t${index}`,
    readOnly: false,
    verdicts,
  }));
  const { children } = nodeOf({ agents, tools });
  expect(children).toHaveLength(maxToolsShown + 1);
  expect(children.at(-1)?.label).toBe('and 7 more');
  expect(children[0]?.children.at(-1)?.label).toBe('and 3 more');
});

it('says so where there is no tool, or no agent', () => {
  expect(nodeOf({ tools: [] }).children.map(({ label }) => label)).toEqual(['The server offers no tool']);
  const alone = nodeOf({ agents: [], tools: [{ name: 'echo', readOnly: false, verdicts: [] }] });
  expect(alone.description).toBe('1 tool · no agent may call');
  expect(lines(alone.children)).toEqual(['echo: no agent']);
});
