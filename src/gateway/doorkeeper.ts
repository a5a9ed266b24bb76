// Who is it: the ways in are asked in turn, in one breath, and strangers are answered without a word on which part was
// wrong. A valid credential is never throttled; what fails is, per address, and audited as long as it is not a flood.
import type { AuditLog } from '../audit/auditLog.ts';
import type { AuthResult, GrantStore, Proof } from '../identity/grants.ts';
import type { OAuthDoor } from '../identity/oauth/oauthDoor.ts';
import type { Throttle } from '../identity/throttle.ts';
import type { Exchange } from './exchange.ts';
import { authorityOf } from './http.ts';
import { refuseThrottled, refuseUnauthenticated } from './refusals.ts';

export type DoorkeeperOptions = {
  tunnel: string;
  serverId: string;
  grants: GrantStore;
  throttle: Throttle;
  audit: Pick<AuditLog, 'append'>;
};

type Refused = Extract<AuthResult, { kind: 'refused' }>;

export class Doorkeeper {
  readonly #options: DoorkeeperOptions;
  #oauth: OAuthDoor | undefined;

  constructor(options: DoorkeeperOptions) {
    this.#options = options;
  }

  get oauth(): OAuthDoor | undefined {
    return this.#oauth;
  }

  /** From now on agents may also ask to be let in. */
  letInBy(oauth: OAuthDoor): void {
    this.#oauth = oauth;
  }

  /** At once: between this and what is done with the answer no revocation may slip in. */
  authenticate(exchange: Exchange): AuthResult {
    const { grants, serverId } = this.#options;
    const authorization = exchange.headers['authorization'];
    return this.#oauth?.authenticate(authorization) ?? grants.authenticate(authorization, serverId);
  }

  /** Who it is now that has come by this proof before. */
  judgeAgain(proof: Proof): AuthResult {
    return this.#options.grants.judgeAgain(proof, this.#options.serverId);
  }

  async refuse(exchange: Exchange, { why }: Refused): Promise<void> {
    const { throttle, audit, tunnel } = this.#options;
    const { visitor, carrier } = exchange.arrival;
    const challenge = this.#oauth?.challenge(authorityOf(exchange.request));
    const verdict = throttle.failed(visitor);
    if (verdict.kind === 'limited') {
      // Not audited one by one: strangers must not fill the disk. Who can ask to be let in must still hear where.
      if (challenge === undefined) return refuseThrottled(exchange, verdict.retryAfterMs);
      return refuseUnauthenticated(exchange, why, challenge);
    }
    await audit.append({ kind: 'refused', tunnel, visitor, carrier, why });
    refuseUnauthenticated(exchange, why, challenge);
  }
}
