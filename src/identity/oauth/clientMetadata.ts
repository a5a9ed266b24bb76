// What is taken over from the words in which a client describes itself (RFC 7591 §2), be it at registration or in a
// document at its own address. Only what is understood is kept; what asks for more than there is gets what there is.
import { maxRedirectUris } from './redirectUri.ts';

/** Of a client's self-chosen name. */
export const maxClientNameLength = 64;

export type ClientMetadata = Record<string, unknown>;

const GRANT_TYPES = ['authorization_code', 'refresh_token'];
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Whatever is wrong with what is kept is for the authorization server to say. */
export function acceptableMetadata(told: ClientMetadata): ClientMetadata {
  const { client_id, redirect_uris, response_types, token_endpoint_auth_method } = told;
  const name = clientName(told['client_name']);
  return {
    ...(client_id === undefined ? {} : { client_id }),
    ...(name === undefined ? {} : { client_name: name }),
    redirect_uris: Array.isArray(redirect_uris) ? redirect_uris.slice(0, maxRedirectUris) : redirect_uris,
    // RFC 7591 §3.2.1: the server may replace what it cannot offer. A client that names none can always refresh.
    grant_types: GRANT_TYPES,
    response_types: response_types ?? ['code'],
    response_modes: ['query'],
    application_type: onlyHttps(redirect_uris) ? 'web' : 'native',
    ...(token_endpoint_auth_method === undefined ? {} : { token_endpoint_auth_method }),
  };
}

/** Written by strangers and shown to a person: one line, nothing that turns or hides text. */
export function clientName(told: unknown): string | undefined {
  if (typeof told !== 'string') return undefined;
  const name = told.replace(UNPRINTABLE, ' ').replace(/\s+/g, ' ').trim().slice(0, maxClientNameLength).trim();
  return name === '' ? undefined : name;
}

function onlyHttps(uris: unknown): boolean {
  return Array.isArray(uris) && uris.every((uri) => typeof uri === 'string' && uri.startsWith('https://'));
}
