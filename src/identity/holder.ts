// Whoever comes by a grant, as the rest of the gateway knows him. Made once for each proof, as it says the same in every
// call; a grant that becomes another one has new proofs.
import type { StoredGrant } from './grantFile.ts';
import type { Principal, Proof } from './grants.ts';
import { copyScope } from './grantScope.ts';
import { digest } from './token.ts';

/** By what somebody was recognised: the digest of a token of ours, or the `subject` that somebody else vouches for. */
export type Judged = {
  grant: StoredGrant;
  untilMs: number;
  sha256?: Buffer;
  subject?: string;
  /** Once it was asked for. */
  holder?: Holder;
};

export type Holder = { principal: Principal; proof: Proof };

export function holderOf({ grant, untilMs, sha256, subject }: Judged): Holder {
  const { id, name } = grant;
  const kind = grant.way?.kind ?? (grant.paired ? 'oauth' : 'grant');
  const signed = subject === undefined ? {} : { subject };
  const own = subject === undefined ? id : `${id}/${digest(subject).slice(0, 16)}`;
  const principal: Principal = { kind, id: own, name, grant: id, scope: copyScope(grant.scope), ...signed };
  const proof = {
    grant: id,
    ...(sha256 === undefined ? {} : { sha256: sha256.toString('hex') }),
    ...signed,
    ...(sha256 === undefined && untilMs !== Infinity ? { untilMs } : {}),
  };
  return { principal, proof };
}
