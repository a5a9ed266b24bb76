import { expect, it } from 'vitest';
import { tunnelTree } from '../../../src/extension/tunnelTree.ts';
import type { TunnelInfo } from '../../../src/protocol/control.ts';
import { english } from './english.ts';
import { nowMs, tunnel } from './samples.ts';

const by = (name: string) => ({ grant: { id: `g_${name}`, name }, visitor: '203.0.113.7' });
const treeOf = (changes: Partial<TunnelInfo> = {}) => tunnelTree([tunnel(changes)], new Map(), nowMs, english)[0]!;

it('says state, agents, calls per minute and the age of the last answer on one row', () => {
  const agents = [{ name: 'claude-code', ...by('g'), lastCallMs: nowMs - 12_000, calls: 3, refused: 1 }];
  const node = treeOf({ agents, callsPerMinute: 7, lastExchangeMs: nowMs - 12_000 });
  expect(node.label).toBe('everything');
  expect(node.description).toBe('connected · 1 agent · 7/min · 12s ago');
  expect(node.context).toBe('tunnel.ready');
  expect(node.tooltip).toContain('https://everything-x7k2.tunnel.localhost:4443/mcp');
});

it('has the hostname, the destination with its privacy, the agents and the tools below it', () => {
  const agents = [
    { name: 'claude-code', ...by('everything from VS Code'), lastCallMs: nowMs - 1_000, calls: 1, refused: 0 },
    { name: 'cursor', ...by('g2'), lastCallMs: nowMs - 3_600_000, calls: 5, refused: 2 },
  ];
  const { children } = treeOf({ agents });
  expect(children.map(({ label, description }) => [label, description])).toEqual([
    ['everything-x7k2.tunnel.localhost', undefined],
    ['This machine only', 'end-to-end encrypted'],
    ['claude-code', '1 call · just now'],
    ['cursor', '5 calls · 2 refused · 1h ago'],
    ['Tools', 'who may use what'],
  ]);
});

it('names the edge of a tunnel that goes out to one', () => {
  const { children } = treeOf({ destination: { carrier: 'edge', host: 'edge.example.com' } });
  expect(children.find(({ label }) => label === 'edge.example.com')?.icon?.name).toBe('globe');
});

it('says how many links are up while some are missing, and always in the tooltip', () => {
  const fewer = treeOf({ links: { up: 2, wanted: 4 } });
  expect(fewer.description).toBe('connected · 2 of 4 links · 0/min');
  const full = treeOf({ links: { up: 4, wanted: 4 } });
  expect(full.description).toBe('connected · 0/min');
  expect(full.tooltip).toContain('4 of 4 links');
  expect(treeOf().tooltip).not.toContain('links');
});

it('shows whose addresses may connect, where that is limited', () => {
  const row = (allowFrom: string[]) => treeOf({ allowFrom }).children.find(({ id }) => id.endsWith(':let-in'));
  expect(row(['anthropic'])).toMatchObject({
    label: 'Lets in only anthropic',
    click: { kind: 'command', command: 'mcpTunnel.letIn' },
  });
  const many = ['anthropic', 'AS64500', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'];
  expect(row(many)?.label).toBe('Lets in only anthropic, AS64500, 192.0.2.0/24 and 2 more');
  expect(treeOf().children.some(({ label }) => label.includes('Lets in'))).toBe(false);
});

it('says how to go on while no agent has called', () => {
  const hint = treeOf().children.at(-2);
  expect(hint).toMatchObject({
    label: 'No agent has called yet',
    click: { kind: 'command', command: 'mcpTunnel.copyClientConfig' },
  });
});

it('shows why a tunnel waits or failed, with the fix, first below it', () => {
  const error = { code: 'EDGE_UNREACHABLE', message: 'edge.example.com does not answer', retryable: true } as const;
  const waiting = treeOf({ state: { kind: 'waiting', retryAtMs: nowMs + 8_000, attempt: 2, error } });
  expect(waiting.description).toContain('waiting, next attempt in 8s');
  expect(waiting.children[0]).toMatchObject({
    label: 'edge.example.com does not answer',
    description: 'Show Log',
    click: { kind: 'command', command: 'mcpTunnel.showLog' },
  });
  expect(waiting.children[0]?.tooltip).toContain('Check the edge’s name');

  const denied = {
    code: 'POLICY_INVALID',
    message: 'bad',
    retryable: false,
    data: { file: '/p.json', line: 2 },
  } as const;
  const failed = treeOf({ state: { kind: 'failed', error: denied } });
  expect(failed.icon?.name).toBe('error');
  expect(failed.children[0]?.click).toMatchObject({ kind: 'open', file: '/p.json', line: 2 });
});

it('offers neither URL nor copying before there is an address', () => {
  const { url: _url, hostname: _host, loopbackUrl: _loopback, ...starting } = tunnel();
  const node = tunnelTree([{ ...starting, state: { kind: 'starting', step: 'x' } }], new Map(), nowMs, english)[0]!;
  expect(node.context).toBe('tunnel');
  expect(node.description).toBe('starting · 0/min');
  expect(node.children.map(({ label }) => label)).toEqual(['This machine only']);
});

it('keeps the identity of rows when their numbers change, so that folds and selection stay', () => {
  const ids = (node: ReturnType<typeof treeOf>): string[] => [node.id, ...node.children.map(({ id }) => id)];
  expect(ids(treeOf({ callsPerMinute: 9 }))).toEqual(ids(treeOf()));
});

it('warns while agents see another certificate than the one that was asked for, and names it where it is no usual one', () => {
  expect(treeOf({ certificate: { kind: 'local', expiresMs: nowMs } }).tooltip).not.toContain('Certificate');
  const warning = 'agents see a certificate of this machine’s own authority until ca.example has issued one';
  const waiting = treeOf({ certificate: { kind: 'local', expiresMs: nowMs, warning } });
  expect(waiting.children[0]).toMatchObject({ label: warning, icon: { name: 'warning' } });
  const own = 'this machine’s certificate for edge.example could not be renewed';
  expect(treeOf({ warning: own }).children[0]).toMatchObject({ label: own, icon: { name: 'warning' } });
  const account = 'https://ca.example/acct/1';
  const issued = treeOf({ certificate: { kind: 'acme', expiresMs: nowMs, account } });
  expect(issued.tooltip).toContain(account);
  expect(issued.children.map(({ icon }) => icon?.name)).not.toContain('warning');
});
