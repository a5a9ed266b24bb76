// Shows that a command is an MCP server, of whichever era: it is started once, spoken to, and ended again.
import { TunnelError } from '../core/errors.ts';
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { legacyRevisions, metaKey, modernRevision } from '../mcp/revisions.ts';
import type { ChildAnswer } from './childMessage.ts';
import { ServerLife, type ServerLifeOptions } from './serverLife.ts';
import type { KnownEras } from './upstream.ts';

export type StdioCheckOptions = Pick<ServerLifeOptions, 'open' | 'clock' | 'random' | 'limits' | 'emit'> & {
  signal: AbortSignal;
};

/** What it was found to speak. Throws `UPSTREAM_START`, `UPSTREAM_PROTOCOL` or `CANCELLED`; nothing stays open. */
export async function checkStdio({ signal, ...options }: StdioCheckOptions): Promise<KnownEras> {
  const life = new ServerLife({
    ...options,
    greet: () => Promise.resolve(undefined),
    onMessage: () => {},
    onOverlong: () => {},
    onInterrupted: () => {},
    onResumed: () => {},
    onOver: () => {},
  });
  try {
    await life.start();
    const legacy = await life.initialize(0, line(0, 'initialize', LEGACY), signal);
    if (typeof legacy.result['protocolVersion'] === 'string') return { legacy: true };
    // A server of the modern era alone says that it knows no `initialize`, or no such revision.
    const modern = await life.initialize(1, line(1, 'server/discover', MODERN), signal);
    if (Array.isArray(modern.result['supportedVersions'])) return { legacy: false, modern: true };
    throw new TunnelError('UPSTREAM_PROTOCOL', `the server did not accept initialize${messageOf(legacy)}`);
  } finally {
    await life.end();
  }
}

const clientInfo = { name: 'mcp-tunnel', version: '0' };
const LEGACY = { protocolVersion: legacyRevisions[0]!, capabilities: {}, clientInfo };
const MODERN = {
  _meta: {
    [metaKey.protocolVersion]: modernRevision,
    [metaKey.clientInfo]: clientInfo,
    [metaKey.clientCapabilities]: {},
  },
};

function line(id: number, method: string, params: JsonValue): Uint8Array {
  return Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
}

function messageOf({ bytes }: ChildAnswer): string {
  const { error } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { error?: JsonValue };
  return isJsonObject(error) && typeof error['message'] === 'string' ? `: ${error['message'].slice(0, 200)}` : '';
}
