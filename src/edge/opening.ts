// The first bytes of a connection, collected until they say whom it wants. What comes from a load balancer says first
// whose connection it is. Nothing is answered, and nothing else is read.
import type { HostPort } from '../core/hostname.ts';
import { parseClientHello } from './clientHello.ts';
import type { EdgeLimits } from './edgeLimits.ts';
import { parseProxyHeader } from './proxyHeader.ts';

export type OpeningOptions = {
  limits: Pick<EdgeLimits, 'maxHelloBytes' | 'maxProxyHeaderBytes'>;
  /** A PROXY header must come first. */
  isProxied: boolean;
};

export type Said =
  /** `serverName` is lower-case; `rest` begins with the hello. */
  { kind: 'hello'; serverName: string | undefined; rest: Buffer } | { kind: 'not-tls' } | { kind: 'bad-proxy-header' };

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
    return { kind: 'hello', serverName: hello.serverName, rest: this.#bytes };
  }
}
