// What is refused before anybody asks who it is: a foreign Host (421) or Origin (403), as DNS rebinding brings them
// (MCP transport specification, "Security Warning"), any path but the MCP endpoint
// and the message endpoint it announced (404), any other method (405).
import type { AuthResult } from '../identity/grants.ts';
import { sseTarget } from '../mcp/sseEndpoint.ts';
import type { HttpRequest, Arrival } from './http.ts';
import { authorityOf } from './http.ts';
import { mcpPath, secretIn } from './secretPath.ts';
import { metadataTarget, type MetadataTarget } from './upstreamMetadata.ts';

export type Refusal = { kind: 'refused'; status: 403 | 404 | 405 | 421; reason: string };

export type ArrivalVerdict =
  /** `sseSession`: posted to the message endpoint that this HTTP+SSE stream announced. */
  | {
      kind: 'mcp';
      method: 'POST' | 'GET' | 'DELETE';
      secret?: string | undefined;
      sseSession?: string | undefined;
      metadata?: MetadataTarget;
    }
  | { kind: 'oauth'; what: string }
  | { kind: 'options' }
  | Refusal
  /** A path with a secret that lets nobody in: answered like any path that is not there, and counted as a guess. */
  | { kind: 'guessed'; why: Extract<AuthResult, { kind: 'refused' }>['why']; refusal: Refusal };

/** Paths besides the MCP endpoint, where a tunnel lets agents in by OAuth. */
export type OAuthRoutes = { route(path: string): { methods: readonly string[]; what: string } | undefined };

/** Who a path's secret belongs to. */
export type PathSecrets = (secret: string) => AuthResult;

const nothingThere: Refusal = { kind: 'refused', status: 404, reason: `only ${mcpPath} is reachable here` };

export function checkArrival(
  request: HttpRequest,
  arrival: Arrival,
  secrets: PathSecrets,
  oauth?: OAuthRoutes,
  /** The OAuth metadata of the server itself can be asked for. */
  servesMetadata = false,
): ArrivalVerdict {
  const host = partsOf(authorityOf(request));
  if (!host || !arrival.hostnames.includes(host.name) || namesTwo(request)) {
    return { kind: 'refused', status: 421, reason: `this tunnel answers to ${arrival.hostnames.join(', ')} only` };
  }
  const origin = request.headers['origin'];
  if (origin !== undefined && !isOwnOrigin(origin, host.port, arrival)) {
    return { kind: 'refused', status: 403, reason: 'requests from other web origins are refused' };
  }
  // Compared as it came: no decoding, no dot segments, no case folding. The query is no part of the endpoint.
  const { method = '', url = '' } = request;
  const message = method === 'POST' ? sseTarget(url) : undefined;
  const path = message?.endpoint ?? url.split('?', 1)[0] ?? '';
  const metadata = servesMetadata && method === 'GET' ? metadataTarget(path) : undefined;
  const secret = metadata ? metadata.secret : secretIn(path);
  // Before the method is looked at: a guess must not hear from a 405 that it was right.
  const holder = secret === undefined ? undefined : secrets(secret);
  if (holder?.kind === 'refused') return { kind: 'guessed', why: holder.why, refusal: nothingThere };
  if (metadata) return { kind: 'mcp', method: 'GET', metadata, secret };
  if (path !== mcpPath && !holder) {
    if (message) return nothingThere;
    const route = oauth?.route(path);
    if (!route) return nothingThere;
    if (route.methods.includes(method)) return { kind: 'oauth', what: route.what };
    return { kind: 'refused', status: 405, reason: `use ${route.methods.join(' or ')}` };
  }
  if (method === 'POST' || method === 'GET' || method === 'DELETE') {
    return { kind: 'mcp', method, secret, sseSession: message?.session };
  }
  if (method === 'OPTIONS') return { kind: 'options' };
  return { kind: 'refused', status: 405, reason: 'use POST, GET or DELETE' };
}

/** A page on another port of the same machine is another origin (RFC 6454 §4). */
function isOwnOrigin(origin: string, port: string | undefined, { hostnames }: Arrival): boolean {
  const own = partsOf(/^https:\/\/(.+)$/.exec(origin)?.[1]);
  return own !== undefined && hostnames.includes(own.name) && (own.port ?? '443') === (port ?? '443');
}

/** Two names in one request (RFC 9112 §3.2, RFC 9113 §8.3.1): whoever reads it next may choose the other one. */
function namesTwo({ rawHeaders }: HttpRequest): boolean {
  let first: string | undefined;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (!/^(?:host|:authority)$/i.test(rawHeaders[at]!)) continue;
    const value = rawHeaders[at + 1]!;
    if (first !== undefined && value !== first) return true;
    first = value;
  }
  return false;
}

function partsOf(authority: string | undefined): { name: string; port?: string } | undefined {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]/@\s]+)(?::(\d{1,5}))?$/.exec(authority ?? '');
  if (!match) return undefined;
  const name = match[1]!.toLowerCase().replace(/^\[|\]$/g, '');
  return match[2] === undefined ? { name } : { name, port: match[2] };
}
