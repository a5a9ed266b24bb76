// The way through an HTTP proxy: CONNECT (RFC 9110 §9.3.6) with basic authentication, answered before a byte of TLS goes
// out. A proxy is somebody else's program: little is read of it, and each way in which it can refuse has a sentence.
import type { Duplex } from 'node:stream';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { TunnelError } from '../core/errors.ts';
import { formatHostPort, type HostPort } from '../core/hostname.ts';
import { printable } from '../core/printable.ts';
import type { Proxy } from './proxySettings.ts';

/** The head of a proxy's answer; one that is longer is none. */
export const maxProxyHeadBytes = 16 * 1024;

/** TLS with the proxy itself, before anything is said to it. Throws what TLS says, or the signal's reason. */
export function secureProxy(
  socket: Duplex,
  proxy: Proxy,
  trust: ConnectionOptions,
  signal: AbortSignal,
): Promise<Duplex> {
  const secured = connectTls({ ...trust, socket, servername: proxy.host.includes(':') ? '' : proxy.host });
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      signal.removeEventListener('abort', onAbort);
      secured.off('error', onError).off('secureConnect', onSecure).off('close', onClose);
      act();
    };
    const fail = (error: unknown): void =>
      settle(() => {
        secured.on('error', () => {}); // It failed already; what it still says is not news.
        secured.destroy();
        socket.destroy();
        reject(error);
      });
    const onAbort = (): void => fail(signal.reason);
    const onError = (error: Error): void => fail(error);
    const onClose = (): void => fail(broken(proxy, 'closed the connection: is it an HTTPS proxy?'));
    const onSecure = (): void => settle(() => resolve(secured));
    signal.addEventListener('abort', onAbort, { once: true });
    secured.once('error', onError).once('close', onClose).once('secureConnect', onSecure);
  });
}

/** Throws `EDGE_UNREACHABLE` with the proxy's reason, or the signal's reason; the socket is destroyed then. */
export function connectThrough(socket: Duplex, proxy: Proxy, to: HostPort, signal: AbortSignal): Promise<void> {
  const target = formatHostPort(to);
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    const settle = (act: () => void): void => {
      signal.removeEventListener('abort', onAbort);
      socket.off('data', onData).off('error', onError).off('close', onClose);
      act();
    };
    const fail = (error: unknown): void =>
      settle(() => {
        socket.on('error', () => {});
        socket.destroy();
        reject(error);
      });
    const onAbort = (): void => fail(signal.reason);
    const onError = (): void => fail(broken(proxy, 'broke the connection off'));
    const onClose = (): void => fail(broken(proxy, 'closed the connection without an answer'));
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (!/^HTTP\/1\.[01] [1-9]\d\d/.test(head.toString('latin1', 0, 12)) && head.length >= 12) {
        return fail(broken(proxy, 'does not answer like an HTTP proxy'));
      }
      if ((end === -1 ? head.length : end) > maxProxyHeadBytes) {
        return fail(broken(proxy, `answers with more than ${maxProxyHeadBytes} bytes of headers`));
      }
      if (end === -1) return;
      const text = head.toString('latin1', 0, end);
      const status = Number(text.slice(9, 12));
      if (status < 200 || status > 299) return fail(refused(proxy, target, status, text));
      // The edge says nothing before we do: this is not from it.
      if (head.length > end + 4) return fail(broken(proxy, 'says more than it should'));
      settle(() => {
        socket.pause();
        resolve();
      });
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) return onAbort();
    socket.on('data', onData).once('error', onError).once('close', onClose);
    const { credentials } = proxy;
    const basic = credentials === undefined ? '' : `Proxy-Authorization: Basic ${base64(credentials)}\r\n`;
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${basic}\r\n`);
  });
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

function refused(proxy: Proxy, target: string, status: number, head: string): TunnelError {
  // Of a wrong password tinyproxy says 401.
  if (status === 407 || status === 401) return broken(proxy, `${wantsCredentials(proxy, head)} (${status})`);
  if (status === 403) return broken(proxy, `does not let this machine reach ${target} (403): ask whoever runs it`);
  if (status === 502 || status === 503 || status === 504) {
    return broken(proxy, `cannot reach ${target} (${status})`, { code: 'ENOTFOUND' });
  }
  const reason = printable(head.split('\r\n', 1)[0]?.slice(13, 93) ?? '');
  return broken(proxy, `refused the way to ${target} (${`${status} ${reason}`.trim()})`);
}

function wantsCredentials(proxy: Proxy, head: string): string {
  const schemes = [...head.matchAll(/^proxy-authenticate:\s*([a-z-]{1,20})/gim)].map((match) => match[1] ?? '');
  if (schemes.length > 0 && !schemes.some((scheme) => scheme.toLowerCase() === 'basic')) {
    const offered = [...new Set(schemes)].slice(0, 3).join(', ');
    return `asks for ${offered}, and only Basic is spoken here: put a proxy in between that speaks it`;
  }
  if (proxy.credentials === undefined) return 'asks for a user name and a password: add them to its URL';
  return 'does not accept the user name and password in its URL';
}

function broken(proxy: Proxy, what: string, cause?: { code: string }): TunnelError {
  return new TunnelError('EDGE_UNREACHABLE', `the proxy ${formatHostPort(proxy)} ${what}`, cause ? { cause } : {});
}
