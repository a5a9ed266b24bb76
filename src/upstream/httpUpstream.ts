// An MCP server that listens on HTTP: bytes go to it and come back as they are, at the agent's pace. What changes on
// this hop is Host (the configured authority), hop-by-hop headers, and Accept-Encoding (the inspector reads along).
import type { LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import { errors, Pool } from 'undici';
import type { Clock } from '../core/clock.ts';
import { systemCode, TunnelError } from '../core/errors.ts';
import { hopByHop } from '../core/hopByHop.ts';
import { failed, type FailureCode } from '../mcp/failures.ts';
import { pinAddresses, type PermitAddress, type PinnedAddress } from './upstreamAddress.ts';
import type { Upstream, UpstreamEvent, UpstreamRequest, UpstreamResponse } from './upstream.ts';

/** Connections to one upstream at the same time, streams included; a request more waits for one. */
export const maxConnections = 256;
export const connectTimeoutMs = 5_000;
/** How long `check` waits for any HTTP answer. */
export const checkTimeoutMs = 5_000;

export type HttpUpstreamOptions = {
  url: string;
  /** Added to each request; they win over the agent's. */
  headers: Record<string, string>;
  clock: Clock;
  /** Whether an address off this machine may be dialled; absent: none. */
  permit?: PermitAddress;
  /** PEM of the authority whose certificates count; absent: those this machine trusts. */
  ca?: string;
};

export class HttpUpstream implements Upstream {
  readonly kind = 'http';
  readonly #options: HttpUpstreamOptions;
  readonly #url: URL;
  #addresses: Promise<PinnedAddress[]> | undefined;
  #pool: Pool | undefined;
  #closed = false;

  /** Throws `USAGE` when `url` is no http(s) URL. */
  constructor(options: HttpUpstreamOptions) {
    this.#options = options;
    this.#url = parseUrl(options.url);
  }

  /** Connects and asks with OPTIONS, which starts nothing: any HTTP answer shows that a server is there. */
  async check(signal: AbortSignal): Promise<void> {
    const timeout = new AbortController();
    const timer = this.#options.clock.after(checkTimeoutMs, () => timeout.abort());
    try {
      const answer = await this.#send('OPTIONS', {}, undefined, AbortSignal.any([signal, timeout.signal]));
      await answer.body.dump();
    } catch (error) {
      if (!timeout.signal.aborted) throw error;
      throw failed('ANSWER_TIMEOUT', `${this.#place} accepts connections but does not answer`);
    } finally {
      timer.cancel();
    }
  }

  /** `path`: another one of this server than the configured one, query included. */
  async forward(request: UpstreamRequest, path?: string): Promise<UpstreamResponse> {
    const answer = await this.#send(request.method, request.headers, request.body, request.signal, path);
    answer.body.on('error', () => {}); // Who reads it is told; where nobody does any more, nobody has to be.
    const headers = answerHeaders(answer.headers);
    if (answer.statusCode === 204 || headers['content-length'] === '0') {
      await answer.body.dump();
      return { status: answer.statusCode, headers };
    }
    const body = answer.statusCode === 202 ? await unlessEmpty(answer.body) : answer.body;
    return { status: answer.statusCode, headers, ...(body ? { body } : {}) };
  }

  /** A listener is not ours to watch: it says nothing but its answers. */
  onEvent(_listener: (event: UpstreamEvent) => void): () => void {
    return () => {};
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#pool?.destroy();
  }

  get #place(): string {
    return this.#url.origin;
  }

  async #send(
    method: 'GET' | 'POST' | 'DELETE' | 'OPTIONS',
    headers: Record<string, string>,
    body: Buffer | undefined,
    signal: AbortSignal,
    path = this.#url.pathname + this.#url.search,
  ): Promise<Awaited<ReturnType<Pool['request']>>> {
    const pool = await this.#connected();
    try {
      return await pool.request({
        method,
        path,
        headers: { ...requestHeaders(headers), ...this.#ownHeaders() },
        body: body ?? null,
        signal,
      });
    } catch (error) {
      throw this.#explained(error, signal);
    }
  }

  async #connected(): Promise<Pool> {
    if (this.#closed) throw new TunnelError('CLOSED', `the tunnel to ${this.#place} is closed`);
    this.#addresses ??= pinAddresses(this.#url, this.#options.permit ?? (() => false));
    let addresses: PinnedAddress[];
    try {
      addresses = await this.#addresses;
    } catch (error) {
      this.#addresses = undefined; // Nothing was pinned; the name may resolve next time.
      throw error;
    }
    this.#pool ??= new Pool(this.#url.origin, {
      connections: maxConnections,
      pipelining: 1,
      bodyTimeout: 0, // A stream may be silent for hours.
      headersTimeout: 0, // A tool may think for long.
      connect: {
        timeout: connectTimeoutMs,
        lookup: pinnedLookup(addresses),
        autoSelectFamily: true,
        ...(this.#options.ca === undefined ? {} : { ca: this.#options.ca }),
      },
    });
    return this.#pool;
  }

  #ownHeaders(): Record<string, string> {
    const own = Object.entries(this.#options.headers).map(([name, value]) => [name.toLowerCase(), value]);
    return { ...Object.fromEntries(own), host: this.#url.host, 'accept-encoding': 'identity' };
  }

  #explained(error: unknown, signal: AbortSignal): TunnelError {
    if (signal.aborted) return new TunnelError('CANCELLED', 'the agent has left', { cause: error });
    if (this.#closed) return new TunnelError('CLOSED', `the tunnel to ${this.#place} is closed`, { cause: error });
    const [code, reason] = explain(error);
    return failed(code, `${this.#place} ${reason}`, error);
  }
}

/** What to call a failure by the code that Node, OpenSSL or undici gave it. */
const REASONS: Readonly<Record<string, [FailureCode, string]>> = {
  ECONNREFUSED: ['CONNECT_REFUSED', 'refused the connection: nothing listens there; start the server'],
  UND_ERR_CONNECT_TIMEOUT: ['CONNECT_TIMEOUT', 'did not accept the connection in time'],
  ETIMEDOUT: ['CONNECT_TIMEOUT', 'did not accept the connection in time'],
  ECONNRESET: ['CONNECTION_CLOSED', 'broke the connection off'],
  EPIPE: ['CONNECTION_CLOSED', 'broke the connection off'],
  UND_ERR_SOCKET: ['CONNECTION_CLOSED', 'closed the connection before it answered'],
  UND_ERR_HEADERS_OVERFLOW: ['NOT_HTTP', 'sent more headers than are read'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['TLS_UNTRUSTED', 'has a certificate that this machine does not trust'],
  SELF_SIGNED_CERT_IN_CHAIN: ['TLS_UNTRUSTED', 'has a certificate that this machine does not trust'],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['TLS_UNTRUSTED', 'has a certificate that this machine does not trust'],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['TLS_UNTRUSTED', 'has a certificate that this machine does not trust'],
  CERT_HAS_EXPIRED: ['TLS_EXPIRED', 'has an expired certificate'],
  CERT_NOT_YET_VALID: ['TLS_EXPIRED', 'has a certificate that is not valid yet'],
  ERR_TLS_CERT_ALTNAME_INVALID: ['TLS_WRONG_NAME', 'has a certificate for another name'],
};

function explain(error: unknown): [FailureCode, string] {
  const code = systemCode(error) ?? '';
  const known = Object.hasOwn(REASONS, code) ? REASONS[code] : undefined;
  if (known) return known;
  if (error instanceof errors.HTTPParserError) return ['NOT_HTTP', 'does not speak HTTP'];
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_')) {
    return ['TLS_FAILED', `does not speak TLS as this machine does (${code})`];
  }
  return ['CONNECT_FAILED', `could not be reached (${code || (error as Error).message})`];
}

/** What this hop sets by itself. */
const SET_HERE: ReadonlySet<string> = new Set(['host', 'content-length', 'accept-encoding', 'expect']);

function requestHeaders(headers: Record<string, string>): Record<string, string> {
  const goesNoFurther = hopByHop(headers['connection']);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !goesNoFurther(name) && !SET_HERE.has(name)));
}

/** Most servers say nothing with a 202, and some say that they accepted it. */
async function unlessEmpty(body: Readable): Promise<Readable | undefined> {
  const chunks: AsyncIterator<Buffer> = body[Symbol.asyncIterator]();
  const first = await chunks.next();
  if (first.done) return undefined;
  return Readable.from(
    (async function* () {
      yield first.value;
      yield* { [Symbol.asyncIterator]: () => chunks };
    })(),
    { objectMode: false },
  );
}

function answerHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const connection = headers['connection'];
  const goesNoFurther = hopByHop(Array.isArray(connection) ? connection.join(',') : connection);
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || goesNoFurther(name)) continue;
    if (name === 'set-cookie') continue; // The agent's cookies never come here, so it needs none.
    kept[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return kept;
}

function pinnedLookup(addresses: readonly PinnedAddress[]): LookupFunction {
  return (_hostname, options, callback) => {
    if (options.all) callback(null, [...addresses]);
    else callback(null, addresses[0]!.address, addresses[0]!.family);
  };
}

function parseUrl(text: string): URL {
  let url: URL | undefined;
  try {
    url = new URL(text);
  } catch {
    // Said below.
  }
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.username !== '' || url.password !== '') {
    throw new TunnelError('USAGE', 'the server’s URL must be http:// or https:// without a user name in it');
  }
  return url;
}
