// Who is it: the ways in are asked in turn, in one breath, and strangers are answered without a word on which part was
// wrong. A valid credential is never throttled; what fails is, per address, and audited as long as it is not a flood.
import type { AuditLog } from '../audit/auditLog.ts';
import type { Clock } from '../core/clock.ts';
import { CertificateDoor } from '../identity/certificateDoor.ts';
import type { AuthResult, GrantStore, Proof } from '../identity/grants.ts';
import type { IssuerKeys } from '../identity/jwt/issuerKeys.ts';
import { JwtDoor } from '../identity/jwt/jwtDoor.ts';
import type { JwtProof } from '../identity/jwt/verifyJwt.ts';
import type { OAuthDoor } from '../identity/oauth/oauthDoor.ts';
import type { Throttle } from '../identity/throttle.ts';
import type { Refusal } from './arrivalCheck.ts';
import type { Exchange } from './exchange.ts';
import { tunnelAuthorization } from './forwardHeaders.ts';
import { authorityOf } from './http.ts';
import { refuseArrival, refuseThrottled, refuseUnauthenticated } from './refusals.ts';

export type DoorkeeperOptions = {
  tunnel: string;
  serverId: string;
  /** Whose an agent's `Authorization` is; where it is the server's, another header holds ours. */
  auth?: 'tunnel' | 'upstream';
  clock: Clock;
  grants: GrantStore;
  /** Of issuers whose JWTs let agents in; without it none does. */
  issuerKeys?: IssuerKeys;
  throttle: Throttle;
  audit: Pick<AuditLog, 'append'>;
};

type Refused = Extract<AuthResult, { kind: 'refused' }>;

export class Doorkeeper {
  readonly #options: DoorkeeperOptions;
  readonly #auth: 'tunnel' | 'upstream';
  readonly #certificates: CertificateDoor;
  readonly #jwt: JwtDoor | undefined;
  #oauth: OAuthDoor | undefined;

  constructor(options: DoorkeeperOptions) {
    const { auth = 'tunnel', issuerKeys: keys, grants, serverId, clock } = options;
    this.#options = options;
    this.#auth = auth;
    this.#certificates = new CertificateDoor({ grants, serverId, clock });
    this.#jwt = keys && new JwtDoor({ grants, serverId, clock, keys });
  }

  get oauth(): OAuthDoor | undefined {
    return this.#oauth;
  }

  /** PEM of the authorities whose certificates let agents in now. */
  clientAuthorities(): readonly string[] {
    return this.#certificates.authorities();
  }

  /** From now on agents may also ask to be let in. */
  letInBy(oauth: OAuthDoor): void {
    this.#oauth = oauth;
  }

  /** Whose the secret of a path is. */
  readonly holderOf = (secret: string): AuthResult =>
    this.#options.grants.authenticatePath(secret, this.#options.serverId);

  /** What takes its time, before anybody is let in: the signature of somebody else's key. `undefined` where there is none. */
  hear(exchange: Exchange): Promise<JwtProof> | undefined {
    return this.#jwt?.verify(bearer(this.#authorization(exchange)));
  }

  /** At once: between this and what is done with the answer no revocation may slip in. `heard` is what {@link hear} gave. */
  authenticate(exchange: Exchange, secret: string | undefined, heard: JwtProof | undefined): AuthResult {
    if (secret !== undefined) return this.holderOf(secret);
    const byHeader = heard ? this.#jwt!.judge(heard) : this.#byToken(this.#authorization(exchange));
    const { clientChain } = exchange.arrival;
    if (byHeader.kind === 'principal' || !clientChain) return byHeader;
    const byCertificate = this.#certificates.authenticate(clientChain);
    return byCertificate.kind === 'principal' || byHeader.why === 'missing' ? byCertificate : byHeader;
  }

  /** Who it is now that has come by this proof before. */
  judgeAgain(proof: Proof): AuthResult {
    return this.#options.grants.judgeAgain(proof, this.#options.serverId);
  }

  async refuse(exchange: Exchange, { why }: Refused): Promise<void> {
    const challenge = this.#oauth?.challenge(authorityOf(exchange.request));
    const verdict = await this.#failed(exchange, why);
    // Who can ask to be let in must still hear where.
    if (verdict.kind === 'limited' && challenge === undefined) return refuseThrottled(exchange, verdict.retryAfterMs);
    refuseUnauthenticated(exchange, why, this.#auth, challenge);
  }

  /** A path with a wrong secret: to whoever sent it, a path like any other that is not there. */
  async refuseGuess(exchange: Exchange, why: Refused['why'], { status, reason }: Refusal): Promise<void> {
    const verdict = await this.#failed(exchange, why);
    if (verdict.kind === 'limited') return refuseThrottled(exchange, verdict.retryAfterMs);
    refuseArrival(exchange, status, reason);
  }

  async #failed(exchange: Exchange, why: Refused['why']): Promise<ReturnType<Throttle['failed']>> {
    const { throttle, audit, tunnel } = this.#options;
    const { visitor, carrier } = exchange.arrival;
    const verdict = throttle.failed(visitor);
    // Not audited one by one in a flood: strangers must not fill the disk.
    if (verdict.kind === 'answer') await audit.append({ kind: 'refused', tunnel, visitor, carrier, why });
    return verdict;
  }

  #byToken(authorization: string | undefined): AuthResult {
    const { grants, serverId } = this.#options;
    return this.#oauth?.authenticate(authorization) ?? grants.authenticate(authorization, serverId);
  }

  #authorization({ headers }: Exchange): string | undefined {
    return headers[this.#auth === 'upstream' ? tunnelAuthorization : 'authorization'];
  }
}

function bearer(authorization: string | undefined): string | undefined {
  return /^bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1];
}
