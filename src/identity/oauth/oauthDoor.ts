// The way in by OAuth 2.1 of one tunnel: which of its paths are ours, what a 401 points to, whose access token this is.
// The authorization server itself is heavy and comes in with the first request that needs it.
import { randomInt } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../core/clock.ts';
import type { PrivateFiles } from '../../core/files.ts';
import { Lifetime } from '../../core/lifetime.ts';
import type { AuthResult, Grant, GrantStore } from '../grants.ts';
import { Throttle } from '../throttle.ts';
import { accessTokenPrefix, looksLikeToken } from '../token.ts';
import type { AuthorizationServer, AuthorizationServerOptions } from './authorizationServer.ts';
import { OAuthState } from './oauthState.ts';
import { tooManyPage } from './pages.ts';
import { PairingDesk, type PairingClient, type PairingTerms } from './pairingDesk.ts';
import { mcpScope, metadataAt, oauthPaths, resourceMetadataUrl } from './serverMetadata.ts';

/** Requests to authorize and to register, per address and minute; more get 429. */
export const requestsPerMinute = 60;

/** And to the token and revocation endpoints, where hosted agents come from few addresses. */
export const tokenRequestsPerMinute = 600;

export type OAuthDoorOptions = {
  files: PrivateFiles;
  /** The file that outlives the helper. */
  path: string;
  /** The tunnel's id that survives a restart. */
  instance: string;
  serverId: string;
  clock: Clock;
  grants: GrantStore;
  mayFetch: AuthorizationServerOptions['mayFetch'];
  /** For tests: hosts of documents on this machine. */
  fetching?: AuthorizationServerOptions['fetching'];
  /** Whether the policy lets any client's document be fetched: only then is it offered. */
  documents: () => boolean;
  /** Whether the policy has rules of its own for an agent of this name. */
  hasRules?: (name: string) => boolean;
  addGrant: (client: PairingClient, terms: PairingTerms) => Promise<Grant>;
  endGrant: (id: string) => Promise<void>;
  log: (message: string) => void;
};

type Route = { methods: readonly string[]; what: string };

export class OAuthDoor {
  readonly desk: PairingDesk;
  readonly #options: OAuthDoorOptions;
  readonly #state: OAuthState;
  readonly #throttle: Throttle;
  readonly #tokenThrottle: Throttle;
  readonly #lifetime = new Lifetime();
  readonly #servers = new Map<string, Promise<AuthorizationServer>>();
  #resources: readonly string[] = [];

  /** Throws `CONFIG_INVALID` or `STATE_UNWRITABLE` when what it kept cannot be read. */
  static async open(options: OAuthDoorOptions): Promise<OAuthDoor> {
    const door = new OAuthDoor(options);
    await door.#state.load();
    return door;
  }

  private constructor(options: OAuthDoorOptions) {
    const { files, path, instance, clock, grants, serverId } = options;
    this.#options = options;
    this.desk = new PairingDesk({ clock, randomInt: (below) => randomInt(below), hasRules: options.hasRules });
    this.#lifetime.defer(() => this.desk.close());
    this.#throttle = new Throttle({ clock, perMinute: requestsPerMinute });
    this.#tokenThrottle = new Throttle({ clock, perMinute: tokenRequestsPerMinute });
    this.#state = new OAuthState({
      files,
      path,
      instance,
      clock,
      stateOf(grant) {
        if (grants.problem) return 'unknown';
        return grants.judge(grant, serverId).kind === 'principal' ? 'alive' : 'ended';
      },
      isPending: (interaction) => this.desk.knows(interaction),
    });
  }

  /** The tunnel's MCP URLs, the public one first. Nothing is served before. */
  announce(resources: readonly string[]): void {
    this.#resources = [...resources];
  }

  /** What is at a path, or `undefined` when it is none of ours. */
  route(path: string): Route | undefined {
    const [resource] = this.#resources;
    if (resource === undefined) return undefined;
    if (metadataAt(path, resource, false)) return { methods: ['GET'], what: 'OAuth metadata' };
    if (path.startsWith(`${oauthPaths.pair}/`)) return { methods: ['GET'], what: 'OAuth pairing' };
    if (path.startsWith(`${oauthPaths.authorize}/`)) return { methods: ['GET'], what: 'OAuth authorize' };
    return routes[path];
  }

  /** Value of `WWW-Authenticate` (RFC 9728 §5.1). */
  challenge(authority: string | undefined): string | undefined {
    const resource = this.#resourceAt(authority);
    if (resource === undefined) return undefined;
    return `Bearer realm="mcp-tunnel", resource_metadata="${resourceMetadataUrl(resource)}", scope="${mcpScope}"`;
  }

  /** `undefined` when the header holds no access token of this kind: then it is for others to judge. */
  authenticate(authorization: string | undefined): AuthResult | undefined {
    const token = /^bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1];
    if (token === undefined || !looksLikeToken(token, accessTokenPrefix)) return undefined;
    const { aud, grantId } = this.#state.find('AccessToken', token) ?? {};
    if (typeof aud !== 'string' || typeof grantId !== 'string') return { kind: 'refused', why: 'unknown' };
    if (!this.#resources.includes(aud)) return { kind: 'refused', why: 'other-resource' };
    return this.#options.grants.judge(grantId, this.#options.serverId);
  }

  /** Answers a request to one of {@link route}'s paths. Throws nothing a client could cause. */
  async serve(request: IncomingMessage, response: ServerResponse, visitor: string): Promise<void> {
    const [path = ''] = (request.url ?? '').split('?', 1);
    const resource = this.#resourceAt(authorityOf(request))!;
    const metadata = metadataAt(path, resource, this.#options.documents());
    if (metadata) return sendJson(response, 200, metadata);
    if (this.#isTooMany(path, visitor)) return refuseMany(path, response);
    const server = await this.#server(resource);
    await server.handle(request, response);
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  #isTooMany(path: string, visitor: string): boolean {
    const isPerson = path === oauthPaths.authorize || path === oauthPaths.register;
    const isToken = path === oauthPaths.token || path === oauthPaths.revoke;
    const throttle = isPerson ? this.#throttle : isToken ? this.#tokenThrottle : undefined;
    return throttle?.failed(visitor).kind === 'limited';
  }

  /** The one whose name the request came to, of those we answer to; a name of its own making gets the public one. */
  #resourceAt(authority: string | undefined): string | undefined {
    const [first] = this.#resources;
    const named = authority?.toLowerCase();
    return this.#resources.find((resource) => new URL(resource).host === named) ?? first;
  }

  #server(resource: string): Promise<AuthorizationServer> {
    const known = this.#servers.get(resource);
    if (known) return known;
    const { mayFetch, addGrant, endGrant, log, fetching } = this.#options;
    const parts = { resource, state: this.#state, desk: this.desk, mayFetch, addGrant, endGrant, log };
    const made = import('./authorizationServer.ts').then(({ makeAuthorizationServer }) =>
      makeAuthorizationServer({ ...parts, ...(fetching ? { fetching } : {}) }),
    );
    this.#servers.set(resource, made);
    return made;
  }
}

const routes: Readonly<Record<string, Route>> = {
  [oauthPaths.authorize]: { methods: ['GET'], what: 'OAuth authorize' },
  [oauthPaths.token]: { methods: ['POST'], what: 'OAuth token' },
  [oauthPaths.register]: { methods: ['POST'], what: 'OAuth register' },
  [oauthPaths.revoke]: { methods: ['POST'], what: 'OAuth revoke' },
  [oauthPaths.jwks]: { methods: ['GET'], what: 'OAuth keys' },
};

function authorityOf({ headers }: IncomingMessage): string | undefined {
  const pseudo = headers[':authority'];
  return typeof pseudo === 'string' ? pseudo : headers.host;
}

function refuseMany(path: string, response: ServerResponse): void {
  const seconds = '60';
  if (path !== oauthPaths.authorize) {
    response.setHeader('retry-after', seconds);
    return sendJson(response, 429, { error: 'temporarily_unavailable', error_description: 'wait a minute' });
  }
  const { status, headers, body } = tooManyPage();
  response.writeHead(status, { ...headers, 'retry-after': seconds }).end(body);
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(text);
}
