// An OAuth client without a library, for what no library would send.
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { aHelper, type HelperWorld } from './helper.ts';
import { CountingClock, expectNothingLeft } from './leaks.ts';
import { anOAuthTunnel, approve, callback, postForm, type OAuthTunnel } from './oauth.ts';

export type OAuthWorld = { world: HelperWorld; tunnel: OAuthTunnel };

export async function tunnelWorld(): Promise<OAuthWorld> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  const world = await aHelper({ clock });
  return { world, tunnel: await anOAuthTunnel(world) };
}

export const verifier = 'v'.repeat(64);
export const challenge = createHash('sha256').update(verifier).digest('base64url');

export async function register(tunnel: OAuthTunnel, more: object = {}): Promise<string> {
  const answer = await tunnel.fetch(`${tunnel.origin}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'raw',
      redirect_uris: [callback],
      token_endpoint_auth_method: 'none',
      ...more,
    }),
  });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { client_id: string }).client_id;
}

export function authorizeUrl(
  tunnel: OAuthTunnel,
  clientId: string,
  more: Record<string, string | undefined> = {},
): URL {
  const url = new URL(`${tunnel.origin}/authorize`);
  const query: Record<string, string | undefined> = {
    client_id: clientId,
    response_type: 'code',
    redirect_uri: callback,
    state: 's',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    resource: tunnel.url,
    ...more,
  };
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
  return url;
}

export async function codeFor(tunnel: OAuthTunnel, clientId: string): Promise<string> {
  return (await approve(tunnel, authorizeUrl(tunnel, clientId))).searchParams.get('code')!;
}

export function exchange(tunnel: OAuthTunnel, clientId: string, code: string, more: Record<string, string> = {}) {
  const form = { grant_type: 'authorization_code', client_id: clientId, code, redirect_uri: callback };
  return postForm(tunnel, '/token', { ...form, code_verifier: verifier, ...more });
}

export function refresh(tunnel: OAuthTunnel, clientId: string, token: string, more: Record<string, string> = {}) {
  return postForm(tunnel, '/token', {
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: token,
    ...more,
  });
}
