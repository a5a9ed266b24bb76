// The authorization server behind a tunnel's public name: node-oidc-provider, told what to keep and whom to ask. Loaded
// when the first request needs it. Codes, tokens, PKCE, redirects and errors are the provider's; that a person lets each
// agent in, with a number and for a while, is ours.
import { generateKeyPairSync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { errors, interactionPolicy, Provider, type Configuration, type KoaContextWithOIDC } from 'oidc-provider';
import { fetchPublicDocument, type FetchSeams } from '../publicDocument.ts';
import { accessTokenPrefix, digest, mintToken, refreshTokenPrefix } from '../token.ts';
import { acceptableMetadata, clientName, type ClientMetadata } from './clientMetadata.ts';
import type { OAuthPayload, OAuthState } from './oauthState.ts';
import { busyPage, closedPage, errorPage, lostPage, waitingPage, type Page } from './pages.ts';
import type { PairingClient, PairingDesk, PairingTerms } from './pairingDesk.ts';
import { providerAdapter } from './providerAdapter.ts';
import { redirectTarget, redirectUriAllowed, redirectUriProblem } from './redirectUri.ts';
import { issuerOf, mcpScope, oauthPaths } from './serverMetadata.ts';

export const accessTokenS = 15 * 60;
const codeS = 60;
/** As long as a person may take, and a little more. */
const interactionS = 10 * 60;

/** Of a client's document; their specification recommends 5 KB. */
const maxMetadataBytes = 16_384;

/** There is one person who can let agents in. */
const accountId = 'developer';

export type AuthorizationServerOptions = {
  /** The tunnel's MCP URL, as agents are given it. */
  resource: string;
  state: OAuthState;
  desk: PairingDesk;
  /** Why the policy does not let a client's document be fetched from `host:port`; `undefined` when it does. */
  mayFetch: (host: string) => string | undefined;
  fetching?: FetchSeams;
  /** The developer said yes: makes the grant. */
  addGrant: (client: PairingClient, terms: PairingTerms) => Promise<{ id: string; expiresMs: number }>;
  /** A client gave it back, or a token of it was used twice. */
  endGrant: (id: string) => Promise<void>;
  log: (message: string) => void;
};

export type AuthorizationServer = { handle(request: IncomingMessage, response: ServerResponse): Promise<void> };

export function makeAuthorizationServer(options: AuthorizationServerOptions): AuthorizationServer {
  const issuer = issuerOf(options.resource);
  const provider = makeProvider(issuer, options);
  const callback = provider.callback();
  return {
    async handle(request, response) {
      asAtPublicName(request, issuer);
      const [path = '', query = ''] = (request.url ?? '').split('?', 2);
      if (path === oauthPaths.authorize) {
        const verdict = options.desk.admits();
        if (verdict !== 'open') return send(response, verdict === 'busy' ? busyPage() : closedPage());
        request.url = `${path}?${authorizeQuery(query)}`;
      }
      if (path.startsWith(`${oauthPaths.pair}/`)) return pair(provider, options, request, response);
      await callback(request, response);
    },
  };
}

// ── The person ─────────────────────────────────────────────────────────────

async function pair(
  provider: Provider,
  options: AuthorizationServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { desk, state, resource, addGrant } = options;
  let interaction;
  try {
    interaction = await provider.interactionDetails(request, response);
  } catch {
    return send(response, lostPage()); // No cookie, or a request that has ended: which one is nobody's business.
  }
  if (request.url?.split('?', 1)[0] !== `${oauthPaths.pair}/${interaction.uid}`) return send(response, lostPage());
  const { client, metadata } = interaction.prompt.details as { client: PairingClient; metadata?: OAuthPayload };

  const visit = desk.visit(interaction.uid, client);
  switch (visit.kind) {
    case 'closed':
      return send(response, closedPage());
    case 'busy':
      return send(response, busyPage());
    case 'pending':
      return send(response, waitingPage(visit.number, client));
    case 'refused':
      return provider.interactionFinished(
        request,
        response,
        { error: 'access_denied', error_description: 'the developer did not let this agent in' },
        { mergeWithLastSubmission: false },
      );
    case 'approved': {
      const clientId = String(interaction.params['client_id']);
      const { id, expiresMs } = await addGrant(client, visit.terms);
      // Its tokens are to work without asking the document's host again.
      if (metadata) await state.put('Client', clientId, metadata);
      const expiresIn = Math.max(1, Math.floor((expiresMs - Date.now()) / 1000));
      const grant = new provider.Grant({ accountId, clientId, jti: id, expiresIn } as never);
      grant.addResourceScope(resource, mcpScope);
      await grant.save();
      return provider.interactionFinished(
        request,
        response,
        { login: { accountId, remember: false }, consent: { grantId: id } },
        { mergeWithLastSubmission: false },
      );
    }
  }
}

function describeClient(ctx: KoaContextWithOIDC): { client: PairingClient; metadata?: OAuthPayload } {
  const { client, params } = ctx.oidc;
  const document = client as unknown as { clientIdMetadataDocument?: boolean };
  const target = redirectTarget(params?.['redirect_uri'] as string);
  const described: PairingClient = {
    name: clientName(client?.clientName) ?? 'an agent without a name',
    redirectHost: target.host,
    local: target.local,
    scopes: ((params?.['asked_scope'] as string | undefined) ?? '')
      .split(' ')
      .filter((scope) => scope !== '')
      .slice(0, 20),
  };
  if (!document.clientIdMetadataDocument) return { client: described };
  const documentHost = new URL(client!.clientId).host;
  return { client: { ...described, documentHost }, metadata: client!.metadata() as OAuthPayload };
}

// ── The provider ───────────────────────────────────────────────────────────

function makeProvider(issuer: string, options: AuthorizationServerOptions): Provider {
  const { state, endGrant, log } = options;
  const logged = (what: string) => (error: unknown) => log(`oauth: ${what}: ${String(error)}`);
  const provider = new Provider(issuer, {
    ...configuration(options),
    adapter: (model: string) =>
      providerAdapter(model, state, async (grant) => {
        await endGrant(grant);
        throw new errors.InvalidGrant('it was used before');
      }),
  });
  provider.proxy = true; // What is forwarded is what we say: see asAtPublicName.
  provider.silent = true;
  provider.on('server_error', (_ctx, error) => logged('a request failed')(error));
  provider.on('grant.revoked', (_ctx, grant) => void endGrant(grant).catch(logged('a grant could not be ended')));
  provider.on('authorization.error', (_ctx, { message, error_description }) =>
    log(`oauth: a client was refused: ${message}: ${error_description ?? ''}`),
  );

  const { Client, AccessToken, RefreshToken } = provider;
  Object.assign(AccessToken.prototype, {
    generateTokenId(this: { format?: string }) {
      this.format = 'opaque';
      return mintToken(randomBytes, accessTokenPrefix);
    },
  });
  Object.assign(RefreshToken.prototype, { generateTokenId: () => mintToken(randomBytes, refreshTokenPrefix) });
  Client.prototype.redirectUriAllowed = function allowed(this: { redirectUris?: string[] }, asked) {
    return redirectUriAllowed(this.redirectUris ?? [], asked);
  };
  Client.prototype.compareClientSecret = function matches(this: { clientSecret?: string }, told) {
    const kept = Buffer.from(this.clientSecret ?? '');
    const presented = Buffer.from(digest(told));
    return kept.length === presented.length && timingSafeEqual(kept, presented);
  };
  const { Schema } = Client as unknown as { Schema: { prototype: object } };
  Object.assign(Schema.prototype, {
    redirectUris(this: { redirect_uris: unknown[]; invalidate(message: string): void }) {
      for (const uri of this.redirect_uris) {
        const problem = redirectUriProblem(uri);
        if (problem !== undefined) this.invalidate(`a redirect_uri ${problem}`);
      }
    },
  });
  return provider;
}

function configuration({ resource, mayFetch, fetching, log }: AuthorizationServerOptions): Configuration {
  const fetchedFor = new WeakSet<IncomingMessage>();
  const { Check, Prompt } = interactionPolicy;
  const everyTime = new Check('pairing', 'the developer lets each agent in', (ctx) => {
    const result = ctx.oidc.result as { consent?: { grantId?: string } } | undefined;
    return result?.consent?.grantId === undefined ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT;
  });
  const leftS = (ctx: KoaContextWithOIDC): number =>
    Math.max(1, (ctx.oidc.entities.Grant?.exp ?? 0) - Math.floor(Date.now() / 1000));

  return {
    routes: {
      authorization: oauthPaths.authorize,
      token: oauthPaths.token,
      registration: oauthPaths.register,
      revocation: oauthPaths.revoke,
      jwks: oauthPaths.jwks,
    },
    scopes: [mcpScope],
    responseTypes: ['code'],
    clientAuthMethods: ['none', 'client_secret_post', 'client_secret_basic'],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    jwks: { keys: [generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })] },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: async () => false,
    revokeGrantPolicy: () => true,
    clientBasedCORS: () => false,
    clockTolerance: 0,
    extraParams: ['asked_scope'],
    allowOmittingSingleRegisteredRedirectUri: false,
    cookies: {
      keys: [randomBytes(32).toString('base64url')],
      names: { session: 'mcpt_session', interaction: 'mcpt_pairing', resume: 'mcpt_resume' },
      long: { httpOnly: true, sameSite: 'lax', secure: true, signed: true },
      short: { httpOnly: true, sameSite: 'lax', secure: true, signed: true },
    },
    ttl: {
      AccessToken: (ctx) => Math.min(accessTokenS, leftS(ctx)),
      RefreshToken: (ctx) => leftS(ctx),
      AuthorizationCode: codeS,
      Interaction: interactionS,
      Session: interactionS,
      Grant: interactionS,
      IdToken: codeS,
    },
    interactions: {
      url: (_ctx, { uid }) => `${oauthPaths.pair}/${uid}`,
      policy: [new Prompt({ name: 'consent', requestable: true }, describeClient as never, everyTime)] as never,
    },
    loadExistingGrant: async (ctx) => {
      const result = ctx.oidc.result as { consent?: { grantId?: string } } | undefined;
      const id = result?.consent?.grantId;
      return id === undefined ? undefined : ctx.oidc.provider.Grant.find(id);
    },
    findAccount: async (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    renderError: async (ctx, _out, error) => {
      const { error_description: reason = 'the request is not valid' } = error as { error_description?: string };
      const { headers, body } = errorPage(ctx.status, reason);
      ctx.set(headers);
      ctx.body = body;
    },
    fetch: async (address) => {
      const { status, headers, body } = await fetchPublicDocument(address as string, {
        what: 'a client’s document',
        maxBytes: maxMetadataBytes,
        mayFetch,
        ...fetching,
      });
      if (status !== 200) return new Response(null, { status: 502 });
      const told = JSON.parse(body.toString('utf8')) as ClientMetadata;
      return new Response(JSON.stringify({ ...told, ...acceptableMetadata(told) }), { status, headers });
    },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
      revocation: { enabled: true, allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId },
      registration: {
        enabled: true,
        issueRegistrationAccessToken: false,
        idFactory: (ctx) => {
          // The one moment between the reading of a registration and its judgement.
          Object.assign(ctx.oidc, { body: acceptableMetadata(ctx.oidc.body as ClientMetadata) });
          return randomBytes(16).toString('base64url');
        },
        secretFactory: () => randomBytes(32).toString('base64url'),
      },
      clientIdMetadataDocument: {
        enabled: true,
        ack: 'draft-02',
        allowFetch: async (ctx, clientId) => {
          // Only a person's request is worth a fetch, and only one.
          if (ctx.oidc.route !== 'authorization' || fetchedFor.has(ctx.req)) return false;
          fetchedFor.add(ctx.req);
          const url = new URL(clientId);
          const problem = mayFetch(`${url.hostname}:${url.port || 443}`);
          if (problem !== undefined) log(`oauth: the client ${clientId} cannot be looked up: ${problem}`);
          return problem === undefined;
        },
        cacheDuration: { min: 60, max: 3_600 },
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: async () => resource,
        useGrantedResource: async () => true,
        getResourceServerInfo: async (_ctx, indicator) => {
          if (indicator !== resource) throw new errors.InvalidTarget();
          return { scope: mcpScope, audience: resource, accessTokenFormat: 'opaque', accessTokenTTL: accessTokenS };
        },
      },
    },
  };
}

// ── The request ────────────────────────────────────────────────────────────

/** Every URL that the provider makes is of the public name, whatever came in. */
function asAtPublicName({ headers, httpVersionMajor }: IncomingMessage, issuer: string): void {
  for (const name of Object.keys(headers)) if (/^(?:forwarded|x-forwarded-.*)$/.test(name)) delete headers[name];
  headers['x-forwarded-proto'] = 'https';
  headers['x-forwarded-host'] = new URL(issuer).host;
  // A body without a length is a body in HTTP/2; the provider's reader knows HTTP/1.1 only.
  if (httpVersionMajor > 1 && headers['content-length'] === undefined) headers['transfer-encoding'] = 'chunked';
}

const understood = [
  'client_id',
  'code_challenge',
  'code_challenge_method',
  'redirect_uri',
  'request',
  'request_uri',
  'resource',
  'response_mode',
  'response_type',
  'state',
];

/** RFC 6749 §3.1: what is not understood is ignored. There is one scope, and it is asked for each time. */
function authorizeQuery(query: string): string {
  const asked = new URLSearchParams(query);
  const passed = new URLSearchParams();
  for (const [name, value] of asked) if (understood.includes(name)) passed.append(name, value);
  if (asked.get('prompt') === 'none') passed.set('prompt', 'none');
  // Not even an error goes out by a page that runs a script.
  if ((asked.get('response_mode') ?? 'query') !== 'query') passed.set('response_mode', 'unsupported');
  passed.set('scope', mcpScope);
  passed.set('asked_scope', (asked.get('scope') ?? '').slice(0, 256));
  return passed.toString();
}

function send(response: ServerResponse, { status, headers, body }: Page): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
