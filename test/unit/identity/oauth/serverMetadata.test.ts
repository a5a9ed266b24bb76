import { describe, expect, it } from 'vitest';
import {
  issuerOf,
  metadataAt,
  resourceMetadataUrl,
  serverMetadata,
} from '../../../../src/identity/oauth/serverMetadata.ts';

const resource = 'https://everything-x7k2.edge.example.com/mcp';
const origin = 'https://everything-x7k2.edge.example.com';

describe('where a client finds its way', () => {
  it.each(['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-protected-resource'])('%s', (path) => {
    expect(metadataAt(path, resource, true)).toEqual({
      resource,
      authorization_servers: [origin],
      scopes_supported: ['mcp'],
      bearer_methods_supported: ['header'],
    });
  });

  it.each(['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'])('%s', (path) => {
    expect(metadataAt(path, resource, true)).toEqual(serverMetadata(resource, true));
  });

  it.each(['/.well-known/oauth-authorization-server/mcp', '/.well-known/', '/', '/mcp'])('not %s', (path) => {
    expect(metadataAt(path, resource, true)).toBeUndefined();
  });

  it('is told by a refusal', () => {
    expect(resourceMetadataUrl(resource)).toBe(`${origin}/.well-known/oauth-protected-resource/mcp`);
    expect(issuerOf('https://127.0.0.1:8443/mcp')).toBe('https://127.0.0.1:8443');
  });
});

it('an issuer without a slash, S256 alone, iss and documents are what clients insist on', () => {
  expect(serverMetadata(resource, true)).toMatchObject({
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    revocation_endpoint: `${origin}/revoke`,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: true,
    token_endpoint_auth_methods_supported: ['none', 'client_secret_post', 'client_secret_basic'],
  });
  expect(serverMetadata(resource, false)).toMatchObject({ client_id_metadata_document_supported: false });
});
