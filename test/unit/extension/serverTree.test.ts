import { expect, it } from 'vitest';
import type { DiscoveredServer } from '../../../src/core/server.ts';
import { serverTree, shortPath } from '../../../src/extension/serverTree.ts';
import { english } from './english.ts';
import type { PreviewState } from '../../../src/extension/store.ts';
import { nowMs, server, tunnel } from './samples.ts';

const folders = ['/work'];
const previews = new Map<string, PreviewState>();
const rows = (servers: DiscoveredServer[]) =>
  serverTree({ list: { servers, problems: [] }, tunnels: [], folders, previews, nowMs }, english);

it('is empty until discovery answered', () => {
  expect(serverTree({ list: undefined, tunnels: [], folders, previews, nowMs }, english)).toEqual([]);
});

it('groups servers by the file that defines them, and opens that file at its line', () => {
  const other = server({ id: 's2', name: 'web', source: { format: 'claude-code', file: '/work/.mcp.json' } });
  const url = { kind: 'http', url: 'http://127.0.0.1:3000/mcp', headers: {} } as const;
  const list = { servers: [server(), { ...other, transport: url }], problems: [] };

  const files = serverTree({ list, tunnels: [], folders, previews, nowMs }, english);

  expect(files.map(({ label, description }) => [label, description])).toEqual([
    ['.mcp.json', ''],
    ['mcp.json', '.vscode'],
  ]);
  const [everything] = files.find(({ label }) => label === 'mcp.json')!.children;
  expect(everything).toMatchObject({
    label: 'everything',
    description: 'node server.js',
    context: 'server',
    icon: { name: 'terminal' },
    click: { kind: 'open', file: '/work/.vscode/mcp.json', line: 3 },
  });
  const [web] = files.find(({ label }) => label === '.mcp.json')!.children;
  expect(web).toMatchObject({ label: 'web', description: 'http://127.0.0.1:3000/mcp', icon: { name: 'globe' } });
});

it('shows what keeps a server from being exposed on its row, and offers no button for it', () => {
  const broken = server({ problem: 'asks for ${input:key}' });
  const [file] = serverTree(
    { list: { servers: [broken], problems: [] }, tunnels: [], folders, previews, nowMs },
    english,
  );
  expect(file?.children[0]).toMatchObject({
    description: 'asks for ${input:key}',
    icon: { name: 'error' },
    context: 'server.problem',
  });
  expect(file?.children[0]?.tooltip).toContain('asks for ${input:key}');
});

it('shows a file that cannot be read with line and reason, beside the servers of others', () => {
  const problem = { file: '/work/.cursor/mcp.json', line: 4, column: 2, message: 'a comma is missing' };
  const list = { servers: [server()], problems: [problem] };
  const files = serverTree({ list, tunnels: [], folders, previews, nowMs }, english);
  expect(files).toHaveLength(2);
  const broken = files.find(({ description }) => description === '.cursor')!;
  expect(broken.icon?.name).toBe('error');
  expect(broken.children[0]).toMatchObject({
    label: 'Line 4',
    description: 'a comma is missing',
    click: { kind: 'open', file: '/work/.cursor/mcp.json', line: 4, column: 2 },
  });
});

it('sets apart what is developed here, what runs already, and what the user has for every workspace', () => {
  const developed = server({
    id: 'd',
    source: { format: 'project', scope: 'workspace', file: '/work/package.json' },
    guess: { reason: 'package.json depends on an SDK', confidence: 'high' },
  });
  const url = { kind: 'http', url: 'http://localhost:3000/mcp', headers: {} } as const;
  const runs = server({
    id: 'r',
    source: { format: 'running' },
    transport: url,
    running: { pid: 7, era: 'legacy', needsAuth: true },
  });
  const own = server({ id: 'o', source: { format: 'cursor', scope: 'user', file: '/home/me/.cursor/mcp.json' } });
  const problems = [{ file: '/home/me/.codex/config.toml', line: 1, message: 'this is not TOML' }];
  const list = { servers: [own, runs, developed, server()], problems };

  const rows = serverTree({ list, tunnels: [], folders, previews, nowMs }, english);

  expect(rows.map(({ label, folded }) => [label, folded ?? false])).toEqual([
    ['mcp.json', false],
    ['Developed here', false],
    ['Running', false],
    ['Yours, in every workspace', true],
  ]);
  expect(rows[1]?.children[0]?.tooltip).toContain('package.json depends on an SDK');
  expect(rows[2]?.children[0]?.description).toBe('http://localhost:3000/mcp, asks for a credential');
  expect(rows[3]?.children.map(({ label }) => label)).toEqual(['config.toml', 'mcp.json']);
});

it('marks a server that is exposed', () => {
  const list = { servers: [server()], problems: [] };
  const [file] = serverTree({ list, tunnels: [tunnel()], folders, previews, nowMs }, english);
  expect(file?.children[0]).toMatchObject({ context: 'server.exposed', icon: { name: 'broadcast' } });
});

it('shows paths from the folder, with its name when there are several', () => {
  expect(shortPath('/work/.vscode/mcp.json', ['/work'])).toBe('.vscode/mcp.json');
  expect(shortPath('/b/mcp.json', ['/a', '/b'])).toBe('b/mcp.json');
  expect(shortPath('/home/me/.cursor/mcp.json', ['/work'])).toBe('/home/me/.cursor/mcp.json');
});

it('says what a server’s file asks for, and that it was answered, where menus can see it', () => {
  const row = (changes: Partial<DiscoveredServer>) => rows([server(changes)])[0]?.children[0];
  const needs = [{ id: 'key', description: 'API key', password: true as const }, { id: 'region' }];
  expect(row({ needs, problem: 'needs input “key” (API key)' })).toMatchObject({
    context: 'server.needs',
    description: 'asks for API key, region',
    icon: { name: 'key' },
  });
  expect(row({ answered: true })).toMatchObject({ context: 'server+answered' });
});

it('flags a committed file with a secret in it, and says where', () => {
  const row = (committed: boolean) =>
    rows([server({ secrets: { where: ['env API_KEY'], committed } })])[0]?.children[0];
  expect(row(true)).toMatchObject({ icon: { name: 'warning' } });
  expect(row(true)?.description).toMatch(/^committed with a secret in it · /);
  expect(row(true)?.tooltip).toContain('Its file is committed and contains what looks like a secret: env API_KEY');
  expect(row(false)?.icon?.name).not.toBe('warning');
  expect(row(false)?.tooltip).toContain('Its file contains what looks like a secret: env API_KEY');
});
