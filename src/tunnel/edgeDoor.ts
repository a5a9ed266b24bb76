// A TLS 1.3 connection to one of an edge's doors (`connect.<domain>`, `enroll.<domain>`) whose other end has proved that
// it is the edge that was named: by its chain, or by a pin on its key. Until then not a byte of ours is sent.
import type { X509Certificate } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Clock } from '../core/clock.ts';
import { systemCode, TunnelError } from '../core/errors.ts';
import { formatHostPort, type HostPort } from '../core/hostname.ts';
import { publicAuthorities } from './extraAuthorities.ts';
import { openTcp, type TcpOptions } from './openTcp.ts';
import { connectThrough, secureProxy } from './proxyConnect.ts';
import type { Proxy } from './proxySettings.ts';

/** TCP, a proxy and TLS together. */
export const doorTimeoutMs = 10_000;

/** Handed in from `certs/`, which this folder does not know. */
export type CertificateTools = {
  makeRequest(): Promise<{ key: string; csr: string }>;
  matchesPin(certificate: X509Certificate, pin: string): boolean;
  certificateProblem(failure: unknown, server: string, nowMs: number): TunnelError | undefined;
  pinProblem(certificate: X509Certificate, server: string, pin: string): TunnelError;
  validityProblem(certificate: X509Certificate, nowMs: number, whose: string): TunnelError | undefined;
};

/** The proxy that the way to a host leads through, if any. Throws `DESTINATION_DENIED`, `CONFIG_INVALID`. */
export type ProxyFor = (names: readonly string[], port: number) => Proxy | undefined;

export type DoorOptions = Pick<TcpOptions, 'lookup' | 'mayConnect'> & {
  /** The edge's domain and port. */
  edge: HostPort;
  door: 'connect' | 'enroll';
  alpn: readonly string[];
  /** `sha256/…`: this key and no other; the chain then proves nothing more. */
  pin?: string;
  /** PEM of CAs to trust besides the public ones; a pin needs none. */
  trusted?: readonly string[];
  /** `extraAuthorities`: more of them, which count for an HTTPS proxy as well. */
  authorities?: (() => Promise<readonly string[]>) | undefined;
  /** This machine's own certificate, PEM both. */
  client?: { key: string; certificate: string };
  /** Where to connect in place of what DNS says of the domain. */
  at?: HostPort;
  proxyFor?: ProxyFor;
  certs: CertificateTools;
  clock: Clock;
  signal: AbortSignal;
};

/**
 * Throws `EDGE_UNREACHABLE`, `EDGE_IDENTITY`, `CERTIFICATE_INVALID`, what `proxyFor` throws, or the signal's reason;
 * nothing stays open then. The socket has no listener for 'error' any more: the caller adds one before it waits for
 * anything.
 */
export async function openDoor(options: DoorOptions): Promise<TLSSocket> {
  const { edge, door, at } = options;
  const names = at ? [at.host] : [`${door}.${edge.host}`, edge.host];
  const port = at?.port ?? edge.port;
  try {
    return await dial(options, { host: names[0] ?? edge.host, port });
  } catch (error) {
    const second = names[1];
    if (second === undefined || !isUnknownName(error)) throw error;
    return dial(options, { host: second, port }); // Only the domain itself is in DNS, as on many a local network.
  }
}

const isUnknownName = (error: unknown): boolean =>
  error instanceof TunnelError && ['ENOTFOUND', 'EAI_AGAIN', 'ENODATA'].includes(systemCode(error.cause) ?? '');

async function dial(options: DoorOptions, at: HostPort): Promise<TLSSocket> {
  const { edge, door, clock } = options;
  const proxy = options.proxyFor?.([at.host, `${door}.${edge.host}`], at.port);
  const server = `the edge ${formatHostPort(edge)}`;
  let waitingFor = server;
  const late = new AbortController();
  const timer = clock.after(doorTimeoutMs, () => late.abort(unreachable(waitingFor, { code: 'ETIMEDOUT' })));
  const signal = AbortSignal.any([options.signal, late.signal]);
  try {
    const trust = options.pin === undefined || proxy?.isTls ? await trustOf(options) : {};
    if (!proxy) return await secure(await reach(server, at, { ...options, signal }), trust, { ...options, signal });
    waitingFor = `the proxy ${formatHostPort(proxy)}`;
    const { mayConnect: _theProxysConcern, ...rest } = options;
    if (isIP(at.host) !== 0 && options.mayConnect?.(at.host) === false) throw unreachable(server, { code: 'EACCES' });
    let way: Duplex = await reach(waitingFor, proxy, { ...rest, signal });
    if (proxy.isTls) way = await secureProxy(way, proxy, trust, signal).catch(asTheProxys(options, proxy));
    await connectThrough(way, proxy, at, signal);
    waitingFor = server;
    return await secure(way, trust, { ...options, signal });
  } finally {
    timer.cancel();
  }
}

function asTheProxys({ certs, clock }: DoorOptions, proxy: HostPort): (error: unknown) => never {
  return (error) => {
    if (error instanceof TunnelError) throw error;
    const server = formatHostPort(proxy);
    throw (
      certs.certificateProblem(error, server, clock.now()) ??
      unreachable(`the proxy ${server}`, error as { code?: unknown })
    );
  };
}

async function reach(whom: string, to: HostPort, options: TcpOptions): Promise<Socket> {
  try {
    return await openTcp(to, options);
  } catch (error) {
    if (options.signal.aborted) throw options.signal.reason;
    throw unreachable(whom, error as { code?: unknown });
  }
}

/** TLS on a way that stands; it is destroyed when this fails. */
function secure(way: Duplex, trust: ConnectionOptions, options: DoorOptions): Promise<TLSSocket> {
  const { edge, signal, pin, certs, clock } = options;
  const server = formatHostPort(edge);
  return new Promise((resolve, reject) => {
    const socket = connect({ ...tlsOptions(options, way), ...trust });
    const settle = (act: () => void): void => {
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError).off('close', onClose).off('secureConnect', onSecure);
      act();
    };
    const fail = (error: unknown): void =>
      settle(() => {
        socket.on('error', () => {}); // It failed already; what it still says is not news.
        socket.destroy();
        way.destroy();
        reject(error);
      });
    const gone = (error: { code?: unknown; message?: string }): TunnelError => unreachable(`the edge ${server}`, error);
    const onAbort = (): void => fail(signal.reason);
    const onError = (error: Error): void => fail(certs.certificateProblem(error, server, clock.now()) ?? gone(error));
    const onClose = (): void => fail(gone({ code: 'ECONNRESET' }));
    const onSecure = (): void => {
      const certificate = socket.getPeerX509Certificate();
      if (!certificate) return fail(new TunnelError('EDGE_IDENTITY', `${server} showed no certificate`));
      if (pin !== undefined && !certs.matchesPin(certificate, pin)) {
        return fail(certs.pinProblem(certificate, server, pin));
      }
      settle(() => resolve(socket));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', onError).once('close', onClose).once('secureConnect', onSecure);
    if (signal.aborted) onAbort();
  });
}

async function trustOf({ trusted = [], authorities }: DoorOptions): Promise<ConnectionOptions> {
  return { ca: [...publicAuthorities(), ...((await authorities?.()) ?? []), ...trusted] };
}

function tlsOptions({ edge, door, alpn, pin, client }: DoorOptions, way: Duplex): ConnectionOptions {
  return {
    socket: way,
    servername: `${door}.${edge.host}`,
    minVersion: 'TLSv1.3',
    ALPNProtocols: [...alpn],
    rejectUnauthorized: pin === undefined,
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
  EACCES: 'what it names is an address of this network, where the edge itself is not',
};

function unreachable(whom: string, cause: { code?: unknown; message?: string }): TunnelError {
  const code = systemCode(cause) ?? 'unknown error';
  const why = reasons[code] ?? `the connection failed (${code})`;
  return new TunnelError('EDGE_UNREACHABLE', `${whom} cannot be reached: ${why}`, { cause });
}
