// A tunnel that lets agents in by OAuth, the MCP SDK's own client as the agent, and a browser that is no more than
// cookies and redirects. All of them reach the tunnel at its loopback URL, over its real TLS.
import { readFile } from 'node:fs/promises';
import { auth, type OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type {
  OAuthClientInformationMixed,
  OAuthClientMetadata,
  OAuthTokens,
} from '@modelcontextprotocol/sdk/shared/auth.js';
import { Agent, fetch as undiciFetch, type RequestInit as UndiciInit, type Response as UndiciResponse } from 'undici';
import { onTestFinished } from 'vitest';
import type { GrantScope, OpenedTunnel, PendingPairing } from '../../src/protocol/control.ts';
import { anOpening, type DriverPeer, type HelperWorld } from './helper.ts';

export type Fetched = UndiciResponse;
export type Fetch = (url: string | URL, init?: UndiciInit) => Promise<Fetched>;

export type OAuthTunnel = {
  opened: OpenedTunnel;
  id: string;
  /** The loopback URL, and its origin. */
  url: string;
  origin: string;
  /** Trusts the tunnel's CA; follows nothing. */
  fetch: Fetch;
  peer: DriverPeer;
};

export async function anOAuthTunnel(
  world: HelperWorld,
  more: Parameters<typeof anOpening>[1] = {},
): Promise<OAuthTunnel> {
  const opened = await world.open(anOpening([], { auth: { oauth: true }, ...more }));
  const { id, loopbackUrl = '', caFile = '' } = opened.tunnel;
  const dispatcher = new Agent({ connect: { ca: await readFile(caFile, 'utf8') } });
  onTestFinished(() => dispatcher.destroy());
  const fetch: Fetch = (url, init) => undiciFetch(url, { redirect: 'manual', ...init, dispatcher });
  return { opened, id, url: loopbackUrl, origin: new URL(loopbackUrl).origin, fetch, peer: world.peer };
}

export const callback = 'http://127.0.0.1:43210/callback';

/** What the SDK's client keeps, and where it sends its user. */
export class SdkProvider implements OAuthClientProvider {
  client: OAuthClientInformationMixed | undefined;
  kept: OAuthTokens | undefined;
  verifier = '';
  sentTo: URL | undefined;
  readonly #metadata: OAuthClientMetadata;
  readonly redirectUrl: string;
  readonly clientMetadataUrl?: string;

  constructor(metadata: Partial<OAuthClientMetadata> = {}, documentUrl?: string) {
    this.redirectUrl = metadata.redirect_uris?.[0] ?? callback;
    this.#metadata = {
      client_name: 'SDK agent',
      redirect_uris: [this.redirectUrl],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      ...metadata,
    };
    if (documentUrl !== undefined) this.clientMetadataUrl = documentUrl;
  }

  get clientMetadata(): OAuthClientMetadata {
    return this.#metadata;
  }
  state(): string {
    return 'state-of-the-agent';
  }
  clientInformation(): OAuthClientInformationMixed | undefined {
    return this.client;
  }
  saveClientInformation(client: OAuthClientInformationMixed): void {
    this.client = client;
  }
  tokens(): OAuthTokens | undefined {
    return this.kept;
  }
  saveTokens(tokens: OAuthTokens): void {
    this.kept = tokens;
  }
  redirectToAuthorization(url: URL): void {
    this.sentTo = url;
  }
  saveCodeVerifier(verifier: string): void {
    this.verifier = verifier;
  }
  codeVerifier(): string {
    return this.verifier;
  }
}

/** Cookies by path, redirects up to the point where they leave the tunnel. */
export class Browser {
  readonly #fetch: Fetch;
  readonly #origin: string;
  readonly #cookies = new Map<string, { value: string; path: string }>();

  constructor({ fetch, origin }: Pick<OAuthTunnel, 'fetch' | 'origin'>) {
    this.#fetch = fetch;
    this.#origin = origin;
  }

  /** The last page, or where it was sent away to. */
  async go(
    address: string | URL,
  ): Promise<{ url: string; status: number; html: string; left?: URL; headers: Headers }> {
    let url = new URL(address, this.#origin);
    for (;;) {
      const cookie = [...this.#cookies]
        .filter(([, { path }]) => url.pathname.startsWith(path))
        .map(([name, { value }]) => `${name}=${value}`)
        .join('; ');
      const response = await this.#fetch(url, { headers: { accept: 'text/html', ...(cookie ? { cookie } : {}) } });
      for (const line of response.headers.getSetCookie()) this.#keep(line);
      const html = await response.text();
      const headers = response.headers as unknown as Headers;
      const location = response.headers.get('location');
      if (response.status < 300 || response.status >= 400 || location === null) {
        return { url: url.href, status: response.status, html, headers };
      }
      const next = new URL(location, url);
      if (next.origin !== this.#origin) return { url: url.href, status: response.status, html, left: next, headers };
      url = next;
    }
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split(/; */);
    const [name = '', value = ''] = pair.split('=', 2);
    const path = attributes.find((attribute) => /^path=/i.test(attribute))?.slice(5) ?? '/';
    if (value === '') this.#cookies.delete(name);
    else this.#cookies.set(name, { value, path });
  }
}

export function numberOn(html: string): string {
  const shown = /id="number">([\d ]+)</.exec(html)?.[1];
  if (shown === undefined) throw new Error(`there is no number on this page: ${html}`);
  return shown.replace(' ', '');
}

/** The next agent that waits. */
export function nextPending(peer: DriverPeer): Promise<PendingPairing> {
  return new Promise((settle) => peer.on('pair/pending', ({ pending }) => settle(pending)));
}

export type Terms = { scope?: GrantScope; expiresMs?: number; name?: string };

/** A developer and a person at a browser who agree; where the browser ends up. */
export async function approve(tunnel: OAuthTunnel, sentTo: URL | string, terms: Terms = {}): Promise<URL> {
  const { peer, id } = tunnel;
  await peer.request('pair/open', { tunnel: id });
  const browser = new Browser(tunnel);
  const waiting = await browser.go(sentTo);
  const number = numberOn(waiting.html);
  await peer.request('pair/answer', { tunnel: id, number, scope: {}, expiresMs: Date.now() + 3_600_000, ...terms });
  const { left, html, status } = await browser.go(waiting.url);
  if (!left) throw new Error(`the browser was not sent away: ${status} ${html}`);
  return left;
}

export type PairedAgent = { provider: SdkProvider; access: string; refresh: string; code: string };

/** The SDK's whole flow up to its tokens. */
export async function pairSdkAgent(
  tunnel: OAuthTunnel,
  terms: Terms = {},
  provider = new SdkProvider(),
): Promise<PairedAgent> {
  const fetchFn = globalFetch(tunnel);
  await auth(provider, { serverUrl: tunnel.url, fetchFn });
  const left = await approve(tunnel, provider.sentTo!, terms);
  const code = left.searchParams.get('code') ?? '';
  await auth(provider, {
    serverUrl: tunnel.url,
    authorizationCode: code,
    iss: left.searchParams.get('iss') ?? undefined,
    fetchFn,
  } as never);
  const { access_token: access, refresh_token: refresh = '' } = provider.kept!;
  return { provider, access, refresh, code };
}

/** The SDK asks whether an answer is a `Response` of Node's own. */
export function globalFetch({ fetch }: Pick<OAuthTunnel, 'fetch'>): typeof globalThis.fetch {
  return (async (url: string | URL, init?: UndiciInit) => {
    const { status, headers, body } = await fetch(url, init);
    return new Response(body as never, { status, headers: [...headers] as [string, string][] });
  }) as unknown as typeof globalThis.fetch;
}

export async function connectPaired(tunnel: OAuthTunnel, provider: SdkProvider): Promise<Client> {
  const client = new Client({ name: 'paired-agent', version: '1.0.0' });
  onTestFinished(() => client.close());
  await client.connect(
    new StreamableHTTPClientTransport(new URL(tunnel.url), {
      authProvider: provider,
      fetch: globalFetch(tunnel),
    }),
  );
  return client;
}

/** A form to the token or revocation endpoint. */
export async function postForm(
  { fetch, origin }: OAuthTunnel,
  path: string,
  form: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Record<string, unknown>; headers: Fetched['headers'] }> {
  const response = await fetch(`${origin}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(form).toString(),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as never), headers: response.headers };
}

/** Status of an MCP request with this token. */
export async function call(
  { fetch, url }: OAuthTunnel,
  token: string | undefined,
  method = 'initialize',
): Promise<Fetched> {
  return fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method,
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
    }),
  });
}
