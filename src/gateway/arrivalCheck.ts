// What is refused before anybody asks who it is: a foreign Host (421) or Origin (403), as DNS rebinding brings them
// (MCP transport specification, "Security Warning"), any path but the MCP endpoint (404), any other method (405).
import type { HttpRequest, Arrival } from './http.ts';
import { authorityOf } from './http.ts';

/** The one path agents see, whatever the upstream's own is called. */
export const mcpPath = '/mcp';

export type ArrivalVerdict =
  | { kind: 'mcp'; method: 'POST' | 'GET' | 'DELETE' }
  | { kind: 'options' }
  | { kind: 'refused'; status: 403 | 404 | 405 | 421; reason: string };

export function checkArrival(request: HttpRequest, arrival: Arrival): ArrivalVerdict {
  const host = hostOf(authorityOf(request));
  if (host === undefined || !arrival.hostnames.includes(host)) {
    return { kind: 'refused', status: 421, reason: `this tunnel answers to ${arrival.hostnames.join(', ')} only` };
  }
  const origin = request.headers['origin'];
  if (typeof origin === 'string' && !arrival.hostnames.includes(originHost(origin) ?? '')) {
    return { kind: 'refused', status: 403, reason: 'requests from other web origins are refused' };
  }
  // Compared as it came: no decoding, no dot segments, no case folding. The query is no part of the endpoint.
  const path = (request.url ?? '').split('?', 1)[0];
  if (path !== mcpPath) return { kind: 'refused', status: 404, reason: `only ${mcpPath} is reachable here` };
  const { method } = request;
  if (method === 'POST' || method === 'GET' || method === 'DELETE') return { kind: 'mcp', method };
  if (method === 'OPTIONS') return { kind: 'options' };
  return { kind: 'refused', status: 405, reason: 'use POST, GET or DELETE' };
}

function hostOf(authority: string | undefined): string | undefined {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]/@\s]+)(?::\d{1,5})?$/.exec(authority ?? '');
  return match?.[1]?.toLowerCase().replace(/^\[|\]$/g, '');
}

function originHost(origin: string): string | undefined {
  const match = /^https?:\/\/(.+)$/.exec(origin);
  return hostOf(match?.[1]);
}
