// The revisions of MCP by era, and the keys of `_meta` that the modern one (2026-07-28) reserves: what a handshake and a
// session said before, each request says for itself.
import { protocolVersionKey } from './classify.ts';

export const modernRevision = '2026-07-28';

/** Newest first. */
export const legacyRevisions: readonly string[] = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];

export const metaKey = {
  protocolVersion: protocolVersionKey,
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  logLevel: 'io.modelcontextprotocol/logLevel',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
  subscriptionId: 'io.modelcontextprotocol/subscriptionId',
} as const;

/** Levels of `notifications/message` (RFC 5424), the most talkative first. */
export const logLevels: readonly string[] = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
];
