// OAuth metadata of a server that checks its agents itself (`auth: upstream`). It names itself by the address it has on this
// machine; agents need the one they were given. Both come from configuration, never from what a request says, and
// nothing but these URLs is touched.
import { TunnelError } from '../core/errors.ts';
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { elementsOf, membersOf, skipSpace, type Range } from '../mcp/jsonRanges.ts';
import { metadataDocuments, type MetadataDocument, type UpstreamResponse } from '../upstream/upstream.ts';
import { authorityOf, type HttpRequest } from './http.ts';
import { mcpPath, secretIn } from './secretPath.ts';
import { bodyText, withBody } from './wholeAnswer.ts';

/** Largest document that is passed on; a larger one is refused. */
export const maxMetadataBytes = 65_536;

/** What is asked for: the document, of the MCP endpoint or of the server's root, and the secret of the path it was asked at. */
export type MetadataTarget = { document: MetadataDocument; isOfEndpoint: boolean; secret?: string };

const TARGET = new RegExp(`^/\\.well-known/(${metadataDocuments.join('|')})(?:/s/([^/]+))?(/mcp)?$`);

/** RFC 9728 §3.1 and RFC 8414 §3.1 put the well-known part before the path of what they describe. */
export function metadataTarget(path: string): MetadataTarget | undefined {
  const [, document, secret, endpoint] = TARGET.exec(path) ?? [];
  const known = metadataDocuments.find((name) => name === document);
  if (known === undefined) return undefined;
  return { document: known, isOfEndpoint: endpoint !== undefined, ...(secret === undefined ? {} : { secret }) };
}

/** The two addresses of one MCP endpoint: on this machine, and as agents were given it. */
export type Addresses = { local: URL; public: URL };

/**
 * `urls` are those agents may have been given; a request's Host picks one of them and is never copied. `undefined` where
 * the server has no URL, or nobody was given one.
 */
export function addressesOf(
  local: string | undefined,
  urls: readonly string[],
  request: HttpRequest,
): Addresses | undefined {
  const authority = authorityOf(request);
  const url = urls.find((known) => new URL(known).host === authority?.toLowerCase()) ?? urls[0];
  if (local === undefined || url === undefined) return undefined;
  const [path = ''] = (request.url ?? '').split('?', 1);
  const secret = secretIn(path) ?? metadataTarget(path)?.secret;
  const given = new URL(url);
  if (secret !== undefined) given.pathname = `/s/${secret}${mcpPath}`;
  return { local: new URL(local), public: given };
}

/** The document with its own URLs made public. Throws `UPSTREAM_PROTOCOL` for one that is too large. */
export async function publicMetadata(answer: UpstreamResponse, addresses: Addresses): Promise<UpstreamResponse> {
  if (answer.status !== 200 || !answer.body) return answer;
  const text = await bodyText(answer.body, maxMetadataBytes);
  if (text === undefined) {
    throw new TunnelError('UPSTREAM_PROTOCOL', `the server’s OAuth metadata is larger than ${maxMetadataBytes} bytes`);
  }
  const rewritten = rewriteDocument(text, addresses);
  const marked = rewritten === text ? answer : { ...answer, marks: [...(answer.marks ?? []), 'metadata' as const] };
  return withBody(marked, rewritten);
}

/** A 401 that says where the metadata is (RFC 9728 §5.1). */
export function publicChallenge(answer: UpstreamResponse, addresses: Addresses): UpstreamResponse {
  const challenge = answer.headers['www-authenticate'];
  if (challenge === undefined) return answer;
  const rewritten = challenge.replace(
    /(\bresource_metadata=")([^"]*)(")/gi,
    (_, before: string, url: string, after: string) => before + publicLocation(url, addresses) + after,
  );
  if (rewritten === challenge) return answer;
  const headers = { ...answer.headers, 'www-authenticate': rewritten };
  return { ...answer, headers, marks: [...(answer.marks ?? []), 'metadata'] };
}

function rewriteDocument(text: string, addresses: Addresses): string {
  const document = parsed(text);
  if (!isJsonObject(document)) return text;
  const found: Range[] = [];
  for (const { key, value } of membersOf(text, skipSpace(text, 0))) {
    if (key === 'resource' || key === 'issuer') found.push(value);
    else if (key === 'authorization_servers' && text[value.from] === '[') found.push(...elementsOf(text, value.from));
  }
  let rewritten = text;
  for (const { from, to } of found.toReversed()) {
    const url = parsed(text.slice(from, to));
    const changed = typeof url === 'string' ? publicUrl(url, addresses) : url;
    if (changed !== url) rewritten = rewritten.slice(0, from) + JSON.stringify(changed) + rewritten.slice(to);
  }
  return rewritten;
}

/** The same URL at the public address; one of anybody else stays what it is. */
function publicUrl(url: string, addresses: Addresses): string {
  const rest = localRest(url, addresses.local);
  if (rest === undefined) return url;
  if (rest === addresses.local.pathname) return addresses.public.href;
  return base(addresses.public) + rest;
}

/** Where a metadata document is found, with the path of its resource where it has to be. */
function publicLocation(url: string, addresses: Addresses): string {
  const rest = localRest(url, addresses.local);
  const [, wellKnown, suffix = ''] = /^(\/\.well-known\/[^/]+)(\/.*)?$/.exec(rest ?? '') ?? [];
  if (rest === undefined || wellKnown === undefined) return url;
  const { origin, pathname } = addresses.public;
  const path =
    suffix === addresses.local.pathname ? pathname : new URL(base(addresses.public)).pathname + suffix.slice(1);
  return origin + wellKnown + path.replace(/\/$/, '');
}

/** What stands behind the origin, where the origin is the server's own; any name of this machine counts for another. */
function localRest(url: string, local: URL): string | undefined {
  const origin = /^https?:\/\/[^/?#]+/i.exec(url)?.[0];
  if (origin === undefined || !URL.canParse(origin)) return undefined;
  const named = new URL(origin);
  const isOwn =
    named.host === local.host || (isLoopback(named) && isLoopback(local) && portOf(named) === portOf(local));
  return isOwn ? url.slice(origin.length) : undefined;
}

const LOOPBACK = /^(?:localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0|\[::\])$/;

function isLoopback({ hostname }: URL): boolean {
  return LOOPBACK.test(hostname);
}

function portOf({ port, protocol }: URL): string {
  return port || (protocol === 'https:' ? '443' : '80');
}

/** The public address without the MCP endpoint. */
function base({ href }: URL): string {
  return href.replace(/\/mcp$/, '');
}

function parsed(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return null; // What is no JSON holds no URLs: it passes as it is.
  }
}
