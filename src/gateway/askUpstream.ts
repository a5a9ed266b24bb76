// What the upstream is asked: the call with the headers that are meant for it, or a document about its authorization. And
// where the server checks its agents itself, its own address in the answer becomes the one they were given.
import { TunnelError } from '../core/errors.ts';
import type { Principal } from '../identity/grants.ts';
import type { Upstream, UpstreamRequest, UpstreamResponse } from '../upstream/upstream.ts';
import type { Call } from './call.ts';
import type { Exchange } from './exchange.ts';
import { towardsUpstream } from './forwardHeaders.ts';
import { secretIn } from './secretPath.ts';
import { addressesOf, publicChallenge, publicMetadata } from './upstreamMetadata.ts';

export type Asked = {
  upstream: Upstream;
  auth?: 'tunnel' | 'upstream' | undefined;
  /** Every URL that an agent may have been given. */
  urls: readonly string[];
};

/** Throws `UPSTREAM_*` where there is no answer. */
export async function askUpstream(
  { upstream, auth = 'tunnel', urls }: Asked,
  { headers: sent, signal, recorder, request }: Exchange,
  principal: Principal,
  call: Call,
): Promise<UpstreamResponse> {
  // The session that was judged, and no other: one beside a stream's, or beside `initialize`, was not.
  const isJudged = call.sessionId !== undefined && !call.isSse;
  const headers = towardsUpstream(isJudged ? sent : withoutSession(sent), auth);
  const asker = { headers, signal, principal: principal.id };
  const addresses = auth === 'upstream' ? addressesOf(upstream.url, urls, request) : undefined;
  if (call.metadata) {
    if (!upstream.metadata || !addresses) throw new TunnelError('NOT_FOUND', 'this server has no address to describe');
    return publicMetadata(await upstream.metadata({ ...call.metadata, ...asker }), addresses);
  }
  const asked: UpstreamRequest = {
    ...asker,
    method: call.method,
    messages: call.messages,
    era: call.era,
    mark: (flag) => recorder.flag(flag),
    note: ({ direction, text }) => recorder.translated(direction, text),
  };
  if (call.body) asked.body = call.body;
  if (call.sessionId !== undefined) asked[call.isSse ? 'sseSession' : 'sessionId'] = call.sessionId;
  if (secretIn(request.url ?? '') !== undefined) asked.isSecretAddress = true;
  const answer = await upstream.forward(asked);
  return addresses ? publicChallenge(answer, addresses) : answer;
}

function withoutSession(headers: Record<string, string>): Record<string, string> {
  if (headers['mcp-session-id'] === undefined) return headers;
  const { 'mcp-session-id': _unjudged, ...rest } = headers;
  return rest;
}
