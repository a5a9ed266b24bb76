// Which eras a server speaks, asked the way its own clients would ask: `server/discover` first, then `initialize`. What
// it answers to the first may be anything; only a result that names a modern revision counts as yes.
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { legacyRevisions, metaKey, modernRevision } from '../../mcp/revisions.ts';
import type { Upstream } from '../upstream.ts';
import { modernHeaders } from './modernHeaders.ts';
import { postOf, spokenIn } from './spoken.ts';

export type AskingFor = { principal: string; headers: Record<string, string>; signal: AbortSignal };

const clientInfo = { name: 'mcp-tunnel', version: '0' };

/** `undefined` where nobody can know: it wants credentials first, or fails. Throws what `forward` throws. */
export async function speaksModern(
  upstream: Upstream,
  { headers, ...asking }: AskingFor,
): Promise<boolean | undefined> {
  const params = {
    _meta: {
      [metaKey.protocolVersion]: modernRevision,
      [metaKey.clientInfo]: clientInfo,
      [metaKey.clientCapabilities]: {},
    },
  };
  const text = JSON.stringify({ jsonrpc: '2.0', id: 'mcpt-discover', method: 'server/discover', params });
  const all = { ...headers, ...modernHeaders('server/discover', undefined) };
  const answer = await upstream.forward(postOf(text, { era: 'modern', ...asking, headers: all }));
  if (answer.status === 401 || answer.status === 403 || answer.status >= 500) {
    answer.body?.destroy();
    return undefined;
  }
  const versions = (await firstAnswer(answer))?.['supportedVersions'];
  return Array.isArray(versions) && versions.includes(modernRevision);
}

/** A session that it opens for this is ended again. */
export async function speaksLegacy(upstream: Upstream, { headers, ...asking }: AskingFor): Promise<boolean> {
  const params = { protocolVersion: legacyRevisions[0]!, capabilities: {}, clientInfo };
  const text = JSON.stringify({ jsonrpc: '2.0', id: 'mcpt-initialize', method: 'initialize', params });
  const answer = await upstream.forward(postOf(text, { era: 'legacy', ...asking, headers }));
  const sessionId = answer.headers['mcp-session-id'];
  const result = await firstAnswer(answer);
  if (sessionId !== undefined) {
    const ended = await upstream.forward({
      method: 'DELETE',
      headers: { ...headers, 'mcp-session-id': sessionId },
      messages: [],
      sessionId,
      era: 'legacy',
      ...asking,
    });
    ended.body?.destroy();
  }
  return typeof result?.['protocolVersion'] === 'string';
}

async function firstAnswer(answer: Parameters<typeof spokenIn>[0]): Promise<JsonObject | undefined> {
  for await (const { message } of spokenIn(answer)) {
    if (isJsonObject(message['result'])) return message['result'];
    if (message['error'] !== undefined) return undefined;
  }
  return undefined;
}
