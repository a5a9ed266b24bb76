// The way in by a JWT of a named issuer: which texts are one, and which grants it leads to. The library that checks it
// is loaded with the first one.
import type { Clock } from '../../core/clock.ts';
import type { AuthResult, GrantStore } from '../grants.ts';
import type { IssuerKeys } from './issuerKeys.ts';
import type { JwtProof, JwtTerms } from './verifyJwt.ts';

/** Characters of a token that is looked at; issuers' own have two thousand. */
export const maxJwtLength = 16_384;

export type JwtDoorOptions = { grants: GrantStore; serverId: string; clock: Clock; keys: IssuerKeys };

export class JwtDoor {
  readonly #options: JwtDoorOptions;

  constructor(options: JwtDoorOptions) {
    this.#options = options;
  }

  /** `undefined` for a text that is no JWT, or where no grant is for one: then it is for others to judge. */
  verify(text: string | undefined): Promise<JwtProof> | undefined {
    if (text === undefined || text.length > maxJwtLength || !/^[\w-]+\.[\w-]+\.[\w-]*$/.test(text)) return undefined;
    const { grants, serverId } = this.#options;
    const terms = grants.live(serverId).flatMap(({ id, way }) => (way?.kind === 'jwt' ? [{ id, way }] : []));
    return terms.length === 0 ? undefined : this.#verify(text, terms);
  }

  /** At once: by the grants as they are now, whatever became of them while the signature was being checked. */
  judge(proof: JwtProof): AuthResult {
    if (proof.kind === 'refused') return proof;
    const { grants, serverId } = this.#options;
    const results = proof.proofs.map(({ grant, ...signed }) => grants.judge(grant, serverId, signed));
    return results.find(({ kind }) => kind === 'principal') ?? results[0] ?? { kind: 'refused', why: 'unknown' };
  }

  async #verify(text: string, terms: readonly JwtTerms[]): Promise<JwtProof> {
    const { verifyJwt } = await import('./verifyJwt.ts');
    return verifyJwt(text, terms, this.#options);
  }
}
