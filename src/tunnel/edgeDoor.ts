// A TLS 1.3 connection to one of an edge's doors (`connect.<domain>`, `enroll.<domain>`) whose other end has proved that
// it is the edge that was named: by its chain, or by a pin on its key. Until then not a byte of ours is sent.
import type { X509Certificate } from 'node:crypto';
import { connect, rootCertificates, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Clock } from '../core/clock.ts';
import { systemCode, TunnelError } from '../core/errors.ts';
import { formatHostPort, type HostPort } from '../core/hostname.ts';

/** TCP and TLS together. */
export const doorTimeoutMs = 10_000;

/** Handed in from `certs/`, which this folder does not know. */
export type CertificateTools = {
  makeRequest(): Promise<{ key: string; csr: string }>;
  matchesPin(certificate: X509Certificate, pin: string): boolean;
  certificateProblem(failure: unknown, server: string, nowMs: number): TunnelError | undefined;
  pinProblem(certificate: X509Certificate, server: string, pin: string): TunnelError;
  validityProblem(certificate: X509Certificate, nowMs: number, whose: string): TunnelError | undefined;
};

export type DoorOptions = {
  /** The edge's domain and port. */
  edge: HostPort;
  door: 'connect' | 'enroll';
  alpn: readonly string[];
  /** `sha256/…`: this key and no other; the chain then proves nothing more. */
  pin?: string;
  /** PEM of CAs to trust besides the public ones. */
  trusted?: readonly string[];
  /** This machine's own certificate, PEM both. */
  client?: { key: string; certificate: string };
  /** Where to connect in place of what DNS says of the domain. */
  at?: HostPort;
  certs: CertificateTools;
  clock: Clock;
  signal: AbortSignal;
};

/**
 * Throws `EDGE_UNREACHABLE`, `EDGE_IDENTITY`, `CERTIFICATE_INVALID` or the signal's reason; nothing stays open then.
 * The socket has no listener for 'error' any more: the caller adds one before it waits for anything.
 */
export async function openDoor(options: DoorOptions): Promise<TLSSocket> {
  const { edge, door, at } = options;
  const [first, ...others] = at ? [at] : addresses(edge.host, door).map((host) => ({ host, port: edge.port }));
  try {
    return await dial(options, first ?? edge);
  } catch (error) {
    const [second] = others;
    if (second === undefined || !isUnknownName(error)) throw error;
    return dial(options, second); // Only the domain itself is in DNS, as on many a local network.
  }
}

const isUnknownName = (error: unknown): boolean =>
  error instanceof TunnelError && ['ENOTFOUND', 'EAI_AGAIN', 'ENODATA'].includes(systemCode(error.cause) ?? '');

/** Names below `localhost` are this machine (RFC 6761 §6.3), though most resolvers do not know. */
function addresses(domain: string, door: string): string[] {
  return /(?:^|\.)localhost$/.test(domain) ? ['localhost'] : [`${door}.${domain}`, domain];
}

function dial(options: DoorOptions, at: HostPort): Promise<TLSSocket> {
  const { edge, signal, pin, certs, clock } = options;
  const server = formatHostPort(edge);
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const socket = connect(tlsOptions(options, at));
    const settle = (act: () => void): void => {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError).off('close', onClose).off('secureConnect', onSecure);
      act();
    };
    const fail = (error: unknown): void =>
      settle(() => {
        socket.on('error', () => {}); // It failed already; what it still says is not news.
        socket.destroy();
        reject(error);
      });
    const onAbort = (): void => fail(signal.reason);
    const onError = (error: Error): void =>
      fail(certs.certificateProblem(error, server, clock.now()) ?? unreachable(server, error));
    const onClose = (): void => fail(unreachable(server, { code: 'ECONNRESET' }));
    const onSecure = (): void => {
      const certificate = socket.getPeerX509Certificate();
      if (!certificate) return fail(new TunnelError('EDGE_IDENTITY', `${server} showed no certificate`));
      if (pin !== undefined && !certs.matchesPin(certificate, pin)) {
        return fail(certs.pinProblem(certificate, server, pin));
      }
      settle(() => resolve(socket));
    };
    const timer = clock.after(doorTimeoutMs, () => fail(unreachable(server, { code: 'ETIMEDOUT' })));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', onError).once('close', onClose).once('secureConnect', onSecure);
  });
}

function tlsOptions({ edge, door, alpn, pin, trusted, client }: DoorOptions, at: HostPort): ConnectionOptions {
  return {
    host: at.host,
    port: at.port,
    servername: `${door}.${edge.host}`,
    minVersion: 'TLSv1.3',
    ALPNProtocols: [...alpn],
    rejectUnauthorized: pin === undefined,
    ...(trusted ? { ca: [...rootCertificates, ...trusted] } : {}),
    ...(client ? { key: client.key, cert: client.certificate } : {}),
  };
}

const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name is not in DNS: check how it is spelled',
  EAI_AGAIN: 'DNS does not answer: check the network',
  ECONNREFUSED: 'nothing listens there: check the port and that the edge runs',
  ECONNRESET: 'it closed the connection: check that it is an edge and serves that domain',
  ETIMEDOUT: 'it does not answer: check the network and firewalls',
  EHOSTUNREACH: 'there is no way to it: check the network',
  ENETUNREACH: 'there is no network: check the connection',
};

function unreachable(server: string, cause: { code?: unknown; message?: string }): TunnelError {
  const code = systemCode(cause) ?? 'unknown error';
  const why = reasons[code] ?? `the connection failed (${code})`;
  return new TunnelError('EDGE_UNREACHABLE', `the edge ${server} cannot be reached: ${why}`, { cause });
}
