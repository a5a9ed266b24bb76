// The way in by client certificate: whom TLS has to be asked for, and which grant a certificate leads to. Nothing is
// remembered of a connection but what its signatures say, so a grant that ends lets no open connection in any more.
import { X509Certificate } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { certificateHolder, type ClientChain } from './clientCertificate.ts';
import type { AuthResult, GrantStore } from './grants.ts';

/** Authorities that a client is told of in a TLS handshake, oldest grants first; certificates of more are not asked for. */
export const maxClientAuthorities = 20;

/** Parsed certificates of authorities that are kept; at the bound all are parsed anew. */
const maxParsed = 100;

export class CertificateDoor {
  readonly #grants: GrantStore;
  readonly #serverId: string;
  readonly #clock: Clock;
  readonly #parsed = new Map<string, X509Certificate>();

  constructor({ grants, serverId, clock }: { grants: GrantStore; serverId: string; clock: Clock }) {
    this.#grants = grants;
    this.#serverId = serverId;
    this.#clock = clock;
  }

  /** PEM of the authorities whose certificates let agents in now, each once; none when no certificate does. */
  authorities(): string[] {
    const ways = this.#grants.live(this.#serverId).map(({ way }) => way);
    const named = ways.flatMap((way) => (way?.kind === 'certificate' ? [way.caPem] : []));
    return [...new Set(named)].slice(0, maxClientAuthorities);
  }

  /** The first grant, oldest first, that knows the certificate. */
  authenticate(chain: ClientChain): AuthResult {
    const nowMs = this.#clock.now();
    for (const { id, way } of this.#grants.live(this.#serverId)) {
      if (way?.kind !== 'certificate') continue;
      const holder = certificateHolder(chain, way, this.#authority(way.caPem), nowMs);
      if (holder) return this.#grants.judge(id, this.#serverId, holder);
    }
    return { kind: 'refused', why: 'unknown' };
  }

  #authority(pem: string): X509Certificate {
    const known = this.#parsed.get(pem);
    if (known) return known;
    if (this.#parsed.size >= maxParsed) this.#parsed.clear();
    const certificate = new X509Certificate(pem);
    this.#parsed.set(pem, certificate);
    return certificate;
  }
}
