// The documents by which a client finds its way (RFC 9728, RFC 8414): made from the tunnel's public name alone, never
// from what a request says, and the same for everybody.
import type { JsonObject } from '../../core/json.ts';

/** The one scope there is: what an agent may do in detail is the developer's to say, at the pairing. */
export const mcpScope = 'mcp';

export const oauthPaths = {
  authorize: '/authorize',
  token: '/token',
  register: '/register',
  revoke: '/revoke',
  jwks: '/jwks',
  pair: '/pair',
} as const;

const protectedResource = '/.well-known/oauth-protected-resource';

/** For the MCP URL `https://host[:port]/mcp`: RFC 9728 §3.1 puts the well-known part before the path. */
export function resourceMetadataUrl(resource: string): string {
  const { origin, pathname } = new URL(resource);
  return `${origin}${protectedResource}${pathname}`;
}

export function resourceMetadata(resource: string): JsonObject {
  return {
    resource,
    authorization_servers: [issuerOf(resource)],
    scopes_supported: [mcpScope],
    bearer_methods_supported: ['header'],
  };
}

/** RFC 8414 §2: an issuer without a path has no slash at its end, and clients compare it as a string. */
export function issuerOf(resource: string): string {
  return new URL(resource).origin;
}

/** `documents`: whether a client may be known by the address of its metadata document. */
export function serverMetadata(resource: string, documents: boolean): JsonObject {
  const issuer = issuerOf(resource);
  return {
    issuer,
    authorization_endpoint: issuer + oauthPaths.authorize,
    token_endpoint: issuer + oauthPaths.token,
    registration_endpoint: issuer + oauthPaths.register,
    revocation_endpoint: issuer + oauthPaths.revoke,
    jwks_uri: issuer + oauthPaths.jwks,
    scopes_supported: [mcpScope],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_post', 'client_secret_basic'],
    revocation_endpoint_auth_methods_supported: ['none', 'client_secret_post', 'client_secret_basic'],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: documents,
    // What OpenID discovery demands of a document, for clients that look there; no ID token is ever issued.
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
}

/** The metadata document at `path`, or `undefined` where there is none. */
export function metadataAt(path: string, resource: string, documents: boolean): JsonObject | undefined {
  switch (path) {
    case protectedResource:
    case `${protectedResource}${new URL(resource).pathname}`:
      return resourceMetadata(resource);
    case '/.well-known/oauth-authorization-server':
    case '/.well-known/openid-configuration':
      return serverMetadata(resource, documents);
    default:
      return undefined;
  }
}
