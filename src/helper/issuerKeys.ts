// The keys of issuers for all tunnels of a helper, fetched only where the policy has an entry for it.
import type { Clock } from '../core/clock.ts';
import { IssuerKeys } from '../identity/jwt/issuerKeys.ts';
import { mayDial } from '../policy/destinations.ts';
import type { PolicyStore } from '../policy/policyStore.ts';

/** As the policy files name the fetching of issuers' keys. */
const service = 'jwks';

export function makeIssuerKeys(
  policy: Pick<PolicyStore, 'current'>,
  clock: Clock,
  log: (message: string) => void,
): IssuerKeys {
  return new IssuerKeys({
    clock,
    log,
    mayFetch(host) {
      const verdict = mayDial(policy.current, { service, host });
      return verdict.kind === 'allow' ? undefined : verdict.reason;
    },
  });
}
