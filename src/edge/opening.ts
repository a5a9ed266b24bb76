// The first bytes of a connection, collected until they say whom it wants. What comes from a load balancer says first
// whose connection it is. Nothing is answered, and nothing else is read.
import type { HostPort } from '../core/hostname.ts';
import { parseClientHello } from './clientHello.ts';
import type { EdgeLimits } from './edgeLimits.ts';
import { parseProxyHeader } from './proxyHeader.ts';

/** RFC 8737 §6.2. */
const acmeProtocol = 'acme-tls/1';

export type OpeningOptions = {
  limits: Pick<EdgeLimits, 'maxHelloBytes' | 'maxProxyHeaderBytes'>;
  /** A PROXY header must come first. */
  isProxied: boolean;
};

export type Said =
  /** `serverName` is lower-case; `rest` begins with the hello. `isChallenge`: it speaks `acme-tls/1` and nothing else. */
  | { kind: 'hello'; serverName: string | undefined; isChallenge: boolean; rest: Buffer }
  | { kind: 'not-tls' }
  | { kind: 'bad-proxy-header' };

/** Of a PROXY header: whose the connection is, where the balancer says so. */
export type Introduced = { isCheck: boolean; source?: HostPort };

export class Opening {
  readonly #options: OpeningOptions;
  #bytes: Buffer = Buffer.alloc(0);
  #introduced: Introduced | undefined;

  constructor(options: OpeningOptions) {
    this.#options = options;
  }

  /** Once a PROXY header was read. */
  get introduced(): Introduced | undefined {
    return this.#introduced;
  }

  /** One more piece; `undefined` while more has to come. */
  add(chunk: Buffer): Said | undefined {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const { limits, isProxied } = this.#options;
    if (isProxied && !this.#introduced) {
      const header = parseProxyHeader(this.#bytes, limits.maxProxyHeaderBytes);
      if (header.kind === 'invalid') return { kind: 'bad-proxy-header' };
      if (header.kind === 'incomplete') return undefined;
      const { isCheck, source } = header;
      this.#introduced = { isCheck, ...(source ? { source } : {}) };
      this.#bytes = this.#bytes.subarray(header.length);
    }
    const hello = parseClientHello(this.#bytes, limits.maxHelloBytes);
    if (hello.kind === 'incomplete') return undefined;
    if (hello.kind === 'invalid') return { kind: 'not-tls' };
    const isChallenge = hello.alpn.length === 1 && hello.alpn[0] === acmeProtocol;
    return { kind: 'hello', serverName: hello.serverName, isChallenge, rest: this.#bytes };
  }
}
