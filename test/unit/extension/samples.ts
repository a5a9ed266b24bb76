// Servers, tunnels and grants as a helper sends them; a test changes what it is about.
import type { HeldCall } from '../../../src/mcp/heldCall.ts';
import type { DiscoveredServer } from '../../../src/core/server.ts';
import type { ServerPreview } from '../../../src/mcp/preview/preview.ts';
import type { AgentSeen, GrantInfo, ToolRules, TunnelInfo } from '../../../src/protocol/control.ts';

export const nowMs = 1_800_000_000_000;

export function server(changes: Partial<DiscoveredServer> = {}): DiscoveredServer {
  return {
    id: 's1',
    name: 'everything',
    source: { format: 'vscode', file: '/work/.vscode/mcp.json', line: 3 },
    transport: { kind: 'stdio', command: 'node', args: ['server.js'], env: {}, cwd: '/work' },
    ...changes,
  };
}

export function tunnel(changes: Partial<TunnelInfo> = {}): TunnelInfo {
  return {
    id: 't1',
    server: { id: 's1', name: 'everything', kind: 'stdio' },
    destination: { carrier: 'embedded' },
    privacy: 'end-to-end',
    state: { kind: 'connected', sinceMs: nowMs - 60_000 },
    hostname: 'everything-x7k2.tunnel.localhost',
    url: 'https://everything-x7k2.tunnel.localhost:4443/mcp',
    loopbackUrl: 'https://127.0.0.1:4443/mcp',
    caFile: '/home/me/ca.pem',
    openedMs: nowMs - 60_000,
    callsPerMinute: 0,
    agents: [],
    ...changes,
  };
}

export function grant(changes: Partial<GrantInfo> = {}): GrantInfo {
  return {
    id: 'g1',
    name: 'everything from VS Code',
    scope: { servers: ['s1'] },
    createdMs: nowMs - 1_000,
    expiresMs: nowMs + 3_600_000,
    ...changes,
  };
}

export function agentSeen(changes: Partial<AgentSeen> = {}): AgentSeen {
  return {
    name: 'claude-code',
    grant: { id: 'g1', name: 'everything from VS Code' },
    visitor: '203.0.113.7',
    lastCallMs: nowMs - 12_000,
    calls: 3,
    refused: 1,
    ...changes,
  };
}

/** Two agents; the second may not call `write`, because its grant is read-only. */
export function toolRules(changes: Partial<ToolRules> = {}): ToolRules {
  return {
    tools: [
      { name: 'echo', readOnly: true, verdicts: [{ kind: 'allowed' }, { kind: 'allowed' }] },
      {
        name: 'write',
        readOnly: false,
        verdicts: [
          { kind: 'allowed', conditional: true },
          { kind: 'denied', rule: 'grant g2', reason: 'g2 is read-only', because: 'read-only' },
        ],
      },
    ],
    agents: [
      { grant: 'g1', name: 'laptop', readOnly: false },
      { grant: 'g2', name: 'reader', readOnly: true },
    ],
    unknownNames: [],
    ...changes,
  };
}

/** A server that was looked at a minute ago: one plain tool, one that looks poisoned. */
export function preview(changes: Partial<ServerPreview> = {}): ServerPreview {
  const definition = { name: 'echo', description: 'Says it again.', inputSchema: { type: 'object' } };
  return {
    takenMs: nowMs - 60_000,
    era: 'legacy',
    revision: '2025-11-25',
    server: { name: 'everything', version: '1' },
    tools: {
      kind: 'listed',
      items: [
        { name: 'echo', definition, findings: [], tokens: 20, hints: { readOnlyHint: true, idempotentHint: true } },
        {
          name: 'add',
          definition: { ...definition, name: 'add', description: 'Adds.\u200b' },
          findings: [
            { rule: 'hidden-characters', where: 'description', words: ['U+200B'] },
            { rule: 'array-without-items', where: 'inputSchema.properties.list' },
          ],
          tokens: 1_234,
          hints: {},
        },
      ],
    },
    prompts: { kind: 'listed', items: [] },
    resources: { kind: 'absent' },
    templates: { kind: 'absent' },
    tokens: 1_254,
    findings: [],
    ...changes,
  };
}

export function heldCall(changes: Partial<HeldCall> = {}): HeldCall {
  return {
    id: 'h1',
    tunnel: 't1',
    exchange: 'x1',
    agent: 'Claude',
    tool: 'write_file',
    arguments: '{"path":"/a"}',
    isWhole: true,
    rule: 'breakpoint',
    sinceMs: nowMs,
    untilMs: nowMs + 55_000,
    ...changes,
  };
}
