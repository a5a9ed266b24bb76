// The provider's storage, as it wants it, over a tunnel's OAuth state. Two things are stricter than it asks for: a client
// secret is kept as its digest, and of two uses of one code or refresh token at the same moment the second is a theft.
import { Provider, type Adapter } from 'oidc-provider';
import { digest } from '../token.ts';
import type { OAuthModel, OAuthPayload, OAuthState } from './oauthState.ts';

const MODELS: ReadonlySet<string> = new Set<OAuthModel>([
  'Client',
  'Grant',
  'AccessToken',
  'RefreshToken',
  'AuthorizationCode',
  'Session',
  'Interaction',
]);

/** `usedTwice` ends the grant and throws what the client is to hear. */
export function providerAdapter(
  name: string,
  state: OAuthState,
  usedTwice: (grant: string) => Promise<never>,
): Adapter {
  if (!MODELS.has(name)) return nothing;
  const model = name as OAuthModel;
  return {
    async upsert(id, payload, expiresInS) {
      const { client_secret: secret, ...rest } = payload;
      const kept = secret === undefined ? payload : { ...rest, client_secret: digest(secret) };
      // Through JSON, as it will be when it comes from the file: no `undefined`, no shared object.
      await state.put(model, id, JSON.parse(JSON.stringify(kept)) as OAuthPayload, expiresInS);
    },
    async find(id) {
      if (model === 'Client' && id.includes(':') && !isAtToken()) return undefined; // Read the document anew.
      return state.find(model, id);
    },
    findByUid: async (uid) => state.findSession(uid),
    findByUserCode: async () => undefined,
    async consume(id) {
      const grant = state.find(model, id)?.['grantId'];
      if (await state.consume(model, id)) return;
      if (typeof grant === 'string') {
        await state.removeGrant(grant);
        await usedTwice(grant);
      }
    },
    destroy: (id) => (model === 'Grant' ? state.removeGrant(id) : state.remove(model, id)),
    revokeByGrantId: (grant) => state.removeGrant(grant),
  };
}

function isAtToken(): boolean {
  const route = Provider.ctx?.oidc.route;
  return route === 'token' || route === 'revocation';
}

const nothing: Adapter = {
  upsert: async () => {},
  find: async () => undefined,
  findByUid: async () => undefined,
  findByUserCode: async () => undefined,
  consume: async () => {},
  destroy: async () => {},
  revokeByGrantId: async () => {},
};
