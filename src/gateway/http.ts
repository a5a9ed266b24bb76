// The HTTP objects the gateway works on, and what a carrier tells about a request's way here.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ClientChain } from '../identity/clientCertificate.ts';

/** HTTP/1.1, or HTTP/2 through Node's compatibility API, which has the same members. */
export type HttpRequest = IncomingMessage;
export type HttpResponse = ServerResponse;

/**
 * `visitor` is the address as the carrier reports it; `hostnames` are the names this way in answers to. `clientChain` is
 * what the client showed of itself in TLS, the same array for each request of a connection.
 */
export type Arrival = {
  carrier: string;
  visitor: string;
  hostnames: readonly string[];
  clientChain?: ClientChain | undefined;
};

/** Lower-case names, values joined as Node joins them; HTTP/2 pseudo-headers are left out. */
export function headersOf(request: HttpRequest): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined && !name.startsWith(':')) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

/** `Host`, or `:authority` of HTTP/2. */
export function authorityOf(request: HttpRequest): string | undefined {
  const pseudo = request.headers[':authority'];
  return typeof pseudo === 'string' ? pseudo : request.headers.host;
}

/** Resolves when the response can take more, or when it is gone. */
export function writable(response: HttpResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}
