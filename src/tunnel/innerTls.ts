// Where agents' TLS ends: on this machine, directly on the stream that the edge opened. HTTP/2 and HTTP/1.1 are both
// spoken, because a client with many calls at once is answered ten times sooner over HTTP/2. Slow clients are waited for,
// long streams live as long as they like; only who never gets to a request is let go.
import { createServer as createHttp1Server, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { TLSSocket, type DetailedPeerCertificate, type SecureContext } from 'node:tls';
import type { Clock } from '../core/clock.ts';
import { systemCode } from '../core/errors.ts';

export type InnerTlsTimings = {
  /** TLS must stand by then. */
  handshakeMs: number;
  /** All headers of an HTTP/1.1 request must be there by then; and the whole of it, its body included. */
  headersMs: number;
  requestMs: number;
  /** How late that may be noticed. */
  checkMs: number;
  /** A connection that does nothing is kept for so long. One with an open stream is not idle. */
  idleMs: number;
};

export const defaultTimings: InnerTlsTimings = {
  handshakeMs: 15_000,
  headersMs: 60_000,
  requestMs: 300_000,
  checkMs: 15_000,
  idleMs: 300_000,
};

/** Names and values of a request's headers together; more is answered with 431. */
export const maxHeaderBytes = 32 * 1024;
/** Requests of one HTTP/2 connection at a time; the next waits at the agent. */
export const maxStreams = 256;
/** Memory of one HTTP/2 connection, in Node's unit (MB); an answer written at once counts, and at the limit requests are reset. */
export const maxSessionMemoryMb = 128;
/** Connections at a time; the next is closed. */
export const maxConnections = 2048;

export type InnerTlsOptions = {
  /** Asked for each connection, so that a renewed certificate is shown at once. It trusts the authorities that it is given. */
  context: (clientAuthorities: readonly string[]) => SecureContext;
  /** PEM of those whose certificates let clients in just now; where there are none, no client is asked for one. */
  clientAuthorities?: () => readonly string[];
  onRequest: (
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    visitor: string,
    /** What the client showed of itself, its own certificate first, where TLS found it good; one array per connection. */
    clientChain: ClientChain | undefined,
  ) => void;
  clock: Clock;
  /** An agent left before it asked anything, as clients do that do not trust the certificate. */
  onSilentLeave?: (visitor: string) => void;
  timings?: Partial<InnerTlsTimings>;
};

type ClientChain = readonly X509Certificate[];

/** Certificates of a chain that are looked at; what comes after them leads nowhere. */
const maxChain = 8;

/** Where a connection's chain is found from its requests, of HTTP/1.1 and HTTP/2 alike. */
const chainOfClient = Symbol('client chain');

export class InnerTls {
  readonly #options: InnerTlsOptions;
  readonly #timings: InnerTlsTimings;
  readonly #http1: Server;
  readonly #http2: Http2SecureServer;
  readonly #connections = new Set<TLSSocket>();
  /** Connections on which nothing was asked yet. */
  readonly #silent = new WeakSet<object>();
  /** Of connections over HTTP/1.1: aborted when the next answer should be the last. */
  readonly #leaving = new WeakMap<object, AbortSignal>();
  #closed = false;

  constructor(options: InnerTlsOptions) {
    this.#options = options;
    this.#timings = { ...defaultTimings, ...options.timings };
    const { headersMs, requestMs, checkMs, idleMs } = this.#timings;
    this.#http1 = createHttp1Server(
      {
        maxHeaderSize: maxHeaderBytes,
        headersTimeout: headersMs,
        requestTimeout: requestMs,
        keepAliveTimeout: idleMs,
        connectionsCheckingInterval: checkMs,
      },
      (request, response) => {
        this.#silent.delete(request.socket);
        if (this.#leaving.get(request.socket)?.aborted) response.shouldKeepAlive = false;
        this.#askAgain(request.socket, response, () => request.socket.end());
        options.onRequest(request, response, visitorOf(request.socket), clientChainOf(request.socket));
      },
    );
    this.#http1.on('clientError', refuse);
    this.#http1.emit('listening'); // It never listens, but from then on it looks after slow requests.
    this.#http2 = createSecureServer(
      {
        maxSessionMemory: maxSessionMemoryMb,
        settings: { maxConcurrentStreams: maxStreams, maxHeaderListSize: maxHeaderBytes, enableConnectProtocol: false },
      },
      (request, response) => {
        const { session } = request.stream;
        this.#askAgain(request.socket, response, () => session?.close());
        options.onRequest(request, response, visitorOf(request.socket), clientChainOf(request.socket));
      },
    );
    this.#http2.on('session', (session) => closeWhenIdle(session, idleMs));
    this.#http2.on('sessionError', () => {}); // Its 'close' follows.
  }

  /**
   * Takes a visitor's stream; its address goes with each of its requests. Once `leaving` is aborted the visitor is asked
   * to come again by another connection: nothing that is under way is cut.
   */
  accept(stream: Duplex, visitor: string, leaving?: AbortSignal): void {
    if (this.#closed || this.#connections.size >= maxConnections) return void stream.destroy();
    const authorities = this.#options.clientAuthorities?.() ?? [];
    const socket = new TLSSocket(stream, {
      isServer: true,
      secureContext: this.#options.context(authorities),
      ALPNProtocols: ['h2', 'http/1.1'],
      // Asked for, never demanded: a token may be what lets this one in.
      requestCert: authorities.length > 0,
      rejectUnauthorized: false,
    });
    Object.defineProperty(socket, 'remoteAddress', { value: visitor }); // HTTP/1.1 and HTTP/2 both pass it on.
    socket.allowHalfOpen = false; // A visitor that has left must not keep its session open.
    this.#connections.add(socket);
    const deadline = this.#options.clock.after(this.#timings.handshakeMs, () => socket.destroy());
    socket.on('error', () => {}); // A stranger's TLS went wrong; 'close' follows.
    socket.on('_tlsError', () => socket.destroy()); // Of an established connection Node tells only this way.
    this.#silent.add(socket);
    socket.once('close', () => {
      if (!this.#closed && this.#silent.has(socket)) this.#options.onSilentLeave?.(visitor);
      deadline.cancel();
      this.#connections.delete(socket);
      stream.destroy();
    });
    socket.once('secure', () => {
      deadline.cancel();
      if (socket.alpnProtocol === 'h2') this.#silent.delete(socket);
      Object.assign(socket, { secureConnecting: false }); // As `tls.Server` does; HTTP/2 would wait for ever.
      if (authorities.length > 0) Object.assign(socket, { [chainOfClient]: goodChain(socket) });
      if (socket.alpnProtocol === 'h2') this.#beginHttp2(socket, leaving);
      else {
        if (leaving) this.#leaving.set(socket, leaving);
        this.#http1.emit('connection', socket);
      }
    });
  }

  #beginHttp2(socket: TLSSocket, leaving: AbortSignal | undefined): void {
    const begun = (session: ServerHttp2Session): void => {
      const close = (): void => session.close(); // GOAWAY; the streams that are open go on.
      if (leaving?.aborted) return close();
      leaving?.addEventListener('abort', close, { once: true });
      session.once('close', () => leaving?.removeEventListener('abort', close));
    };
    this.#http2.once('session', begun);
    this.#http2.emit('secureConnection', socket);
    this.#http2.off('session', begun);
  }

  /** Who is not let in, and was not asked for a certificate when it connected, is asked when it connects anew. */
  #askAgain(socket: object, response: ServerResponse | Http2ServerResponse, end: () => void): void {
    const { clientAuthorities } = this.#options;
    if (!clientAuthorities || chainOfClient in socket) return;
    response.once('finish', () => {
      if (response.statusCode === 401 && clientAuthorities().length > 0) end();
    });
  }

  /** Ends every connection. */
  close(): void {
    this.#closed = true;
    this.#http1.close();
    this.#http2.close();
    for (const socket of this.#connections) socket.destroy();
  }
}

function visitorOf(socket: { remoteAddress?: string | undefined }): string {
  return socket.remoteAddress ?? 'unknown';
}

function clientChainOf(socket: object): ClientChain | undefined {
  return (socket as { [chainOfClient]?: ClientChain })[chainOfClient];
}

/** `undefined` where the client showed nothing, or nothing that leads to one of the authorities (OpenSSL's verdict). */
function goodChain(socket: TLSSocket): ClientChain | undefined {
  // What `tls.Server` asks to set `authorized`; a socket made by hand is not asked by anybody else.
  const { _handle: handle } = socket as unknown as { _handle: { verifyError(): Error | null | undefined } };
  if (handle.verifyError()) return undefined;
  const chain: X509Certificate[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.raw && chain.length < maxChain) {
    chain.push(new X509Certificate(next.raw));
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return chain;
}

/** What cannot be read as a request; Node's own answer is lost on a stream that is no socket. */
function refuse(error: Error, socket: Duplex): void {
  const status = statusOf[systemCode(error) ?? ''] ?? '400 Bad Request';
  if (socket.writable && !('_httpMessage' in socket && socket._httpMessage)) {
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    socket.once('finish', () => socket.destroy());
  } else socket.destroy();
}

const statusOf: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Idle is a session without streams: an open one may be silent for hours. */
function closeWhenIdle(session: ServerHttp2Session, idleMs: number): void {
  let streams = 0;
  session.on('stream', (stream) => {
    streams += 1;
    stream.once('close', () => (streams -= 1));
  });
  session.setTimeout(idleMs);
  session.on('timeout', () => {
    if (streams === 0) session.close();
    else session.setTimeout(idleMs);
  });
}
