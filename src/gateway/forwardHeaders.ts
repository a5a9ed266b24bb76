// Which headers cross the gateway. Towards the upstream: everything but what belongs to one hop, to the public name,
// or to the agent's credentials, and what a proxy would say: another path, method or sender than was judged. Towards the agent: everything but what belongs to one hop.

import { hopByHop } from '../core/hopByHop.ts';

/** Says who the agent is where `Authorization` is the server's own; as that, `Bearer` and a token. */
export const tunnelAuthorization = 'mcp-tunnel-authorization';

const NOT_FOR_THE_UPSTREAM: ReadonlySet<string> = new Set([
  'authorization',
  tunnelAuthorization,
  'content-length',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'origin',
  'referer',
  'via',
  'accept-encoding',
  // Frameworks that believe themselves behind a proxy take these for the truth about the request.
  'x-original-url',
  'x-original-uri',
  'x-original-host',
  'x-rewrite-url',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-host',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'x-cluster-client-ip',
]);

/** Where it is the server's own, the agent's `Authorization` passes; a credential of the tunnel never does. */
export function towardsUpstream(headers: Record<string, string>, auth: 'tunnel' | 'upstream'): Record<string, string> {
  const forwarded: Record<string, string> = {};
  const goesNoFurther = hopByHop(headers['connection']);
  for (const [name, value] of Object.entries(headers)) {
    // CGI and its descendants (WSGI, PHP) read `mcp_session_id` as `Mcp-Session-Id`, which was judged, or taken out.
    const read = name.replaceAll('_', '-');
    if (goesNoFurther(name) || NOT_FOR_THE_UPSTREAM.has(read)) continue;
    if (read.startsWith('x-forwarded') || read.startsWith('sec-fetch-')) continue;
    if (read !== name && read.startsWith('mcp-')) continue;
    forwarded[name] = value;
  }
  const { authorization } = headers;
  if (auth === 'upstream' && authorization !== undefined && !/\bmcp[a-z]_/.test(authorization)) {
    forwarded['authorization'] = authorization;
  }
  return forwarded;
}

export function towardsAgent(headers: Record<string, string>): Record<string, string> {
  const forwarded: Record<string, string> = {};
  const goesNoFurther = hopByHop(headers['connection']);
  for (const [name, value] of Object.entries(headers)) {
    if (!goesNoFurther(name)) forwarded[name] = value;
  }
  return forwarded;
}
