import { expect, it } from 'vitest';
import { maxOfferedShown, previewNodes } from '../../../src/extension/previewTree.ts';
import { serverTree } from '../../../src/extension/serverTree.ts';
import type { PreviewState } from '../../../src/extension/store.ts';
import type { TreeNode } from '../../../src/extension/treeNode.ts';
import type { PreviewTool, ServerPreview } from '../../../src/mcp/preview/preview.ts';
import { english } from './english.ts';
import { nowMs, preview, server } from './samples.ts';

const rows = (state: PreviewState, of = server()): TreeNode[] => previewNodes(of, state, nowMs, english);
const loaded = (changes: Partial<ServerPreview> = {}): TreeNode[] =>
  rows({ kind: 'loaded', preview: preview(changes) });
const all = (nodes: TreeNode[]): TreeNode[] => nodes.flatMap((node) => [node, ...all(node.children)]);
const labelled = (nodes: TreeNode[], label: string): TreeNode => all(nodes).find((node) => node.label === label)!;

const tree = (previews: Map<string, PreviewState>, changes = {}): TreeNode => {
  const list = { servers: [server(changes)], problems: [] };
  return serverTree({ list, tunnels: [], folders: ['/work'], previews, nowMs }, english)[0]!.children[0]!;
};

it('asks for what a server offers when its row is opened, and not for one that cannot run', () => {
  expect(tree(new Map())).toMatchObject({ pending: true, children: [] });
  const state: PreviewState = { kind: 'loaded', preview: preview() };
  const row = tree(new Map([['s1', state]]));
  expect(row.pending).toBeUndefined();
  expect(row.children.map(({ label }) => label)).toEqual(['Tools', 'Prompts', 'Resources']);
  const broken = tree(new Map(), { problem: 'asks for ${input:key}' });
  expect(broken).toMatchObject({ children: [] });
  expect(broken.pending).toBeUndefined();
});

it('offers to run it where nobody agreed, and says that nothing was run', () => {
  const [row] = rows({ kind: 'consent' });
  expect(row).toMatchObject({
    label: 'Show tools…',
    description: 'starts the server',
    click: { kind: 'command', command: 'mcpTunnel.previewServer' },
  });
  expect(row?.tooltip).toContain('Nothing was run yet.');
  const web = server({ transport: { kind: 'http', url: 'http://127.0.0.1:3000/mcp', headers: {} } });
  expect(rows({ kind: 'consent' }, web)[0]?.description).toBe('asks the server');
});

it('leads to trust in Restricted Mode', () => {
  const [row] = rows({ kind: 'untrusted' });
  expect(row?.click).toEqual({ kind: 'command', command: 'workbench.trust.manage' });
});

it('shows why it failed with the last words of the server, and tries again', () => {
  const data = { stderr: ['no such\u001b[31m file', 5] };
  const error = { code: 'UPSTREAM_START', message: 'the server\nended', retryable: false, data } as const;
  const [row] = rows({ kind: 'failed', error: { ...error, data: { stderr: ['no such\u001b[31m file', 5] } } });
  expect(row).toMatchObject({ label: 'The server ended.', description: 'Retry', icon: { name: 'error' } });
  expect(row?.tooltip).toContain('no such\\u{1b}[31m file');
  expect(row?.click).toEqual({ kind: 'command', command: 'mcpTunnel.refreshPreview' });
});

it('shows how many there are, what they cost, when they were listed and what is wrong with them', () => {
  const nodes = loaded();
  expect(labelled(nodes, 'Tools')).toMatchObject({
    description: '2 · 1 suspicious · ≈ 1,254 tokens · 1m ago',
    icon: { name: 'warning' },
    context: 'preview.tools',
    folded: true,
  });
  expect(labelled(nodes, 'Prompts')).toMatchObject({ description: 'offers no prompts', children: [] });
  expect(labelled(nodes, 'Resources')).toMatchObject({ description: 'offers no resources', children: [] });
  expect(all(nodes).map(({ label }) => label)).not.toContain('Resource templates');
});

it('shows each tool with what it says of itself, and its marks below it', () => {
  const nodes = loaded();
  expect(labelled(nodes, 'echo')).toMatchObject({
    description: 'Says it again. · read-only · repeatable · ≈ 20 tokens',
    icon: { name: 'eye' },
    context: 'preview.item',
    children: [],
  });
  const poisoned = labelled(nodes, 'add');
  expect(poisoned).toMatchObject({ icon: { name: 'warning' }, folded: true });
  expect(poisoned.description).toBe('suspicious · Adds.\\u{200b} · ≈ 1,234 tokens');
  expect(poisoned.children.map(({ label, description, icon }) => [label, description, icon?.name])).toEqual([
    [
      'Hidden characters',
      'Characters that nobody sees stand in description (U+200B): a model reads them, a person does not.',
      'warning',
    ],
    [
      'OpenAI, Gemini and Copilot refuse it',
      'OpenAI, Gemini and VS Code Copilot refuse the tool: the array inputSchema.properties.list does not say what its items are.',
      'info',
    ],
  ]);
  expect(poisoned.children[0]?.tooltip).toContain('A hint, not a proof.');
  expect(poisoned.children[1]?.tooltip).toContain('Reported in meilisearch/meilisearch-mcp#27');
  expect(poisoned.tooltip).toContain('The server says so; nobody checked it.');
});

it('says what changed since it was looked at before', () => {
  const drift = {
    sinceMs: nowMs - 3_600_000,
    added: ['new_one'],
    removed: ['old_one'],
    changed: [{ name: 'echo', parts: ['description', 'inputSchema'] }],
  };
  const [row] = loaded({ drift });
  expect(row).toMatchObject({
    label: '3 tools are not what they were',
    description: 'since it was looked at 1h ago',
    icon: { name: 'warning' },
  });
  expect(row?.children.map(({ label, description }) => [label, description])).toEqual([
    ['echo', 'changed: description, inputSchema'],
    ['new_one', 'new'],
    ['old_one', 'gone'],
  ]);
});

it('says of a list why it failed, and where it was cut off', () => {
  const nodes = loaded({
    prompts: { kind: 'failed', reason: 'the prompts\nare broken' },
    resources: { kind: 'listed', cut: 'same-cursor', items: [{ name: 'a', definition: {}, findings: [] }] },
  });
  expect(labelled(nodes, 'Prompts')).toMatchObject({ description: 'the prompts are broken', icon: { name: 'error' } });
  expect(labelled(nodes, 'Resources').children.map(({ label }) => label)).toEqual([
    'The server repeats itself: it gave the same page again',
    'a',
  ]);
});

it('shows a bounded number of rows, each with an id of its own', () => {
  const one = (preview().tools as { items: PreviewTool[] }).items[0]!;
  const items = Array.from({ length: maxOfferedShown + 7 }, () => one);
  const [tools] = loaded({ tools: { kind: 'listed', items } });
  expect(tools?.children).toHaveLength(maxOfferedShown + 1);
  expect(tools?.children.at(-1)?.label).toBe('and 7 more');
  const ids = all(loaded({ tools: { kind: 'listed', items } })).map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

it('shows no character that hides or turns text, whoever wrote it', () => {
  const hostile = '\u202e\u001b]8;;x\u0007$(alert)\u{e0041}[x](command:y)\n';
  const finding = { rule: 'reads-secrets', where: hostile, words: [hostile] } as const;
  const item = {
    name: hostile,
    definition: { title: hostile, description: hostile },
    findings: [{ ...finding, words: [hostile] }],
    tokens: 1,
    hints: {},
  };
  const drift = { sinceMs: 0, added: [hostile], removed: [hostile], changed: [{ name: hostile, parts: [hostile] }] };
  const nodes = all(
    loaded({
      tools: { kind: 'listed', items: [item] },
      prompts: { kind: 'failed', reason: hostile },
      findings: item.findings,
      drift,
    }),
  );
  for (const { label, description = '', tooltip = '' } of nodes) {
    expect(`${label}${description}`).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(tooltip.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  }
});
