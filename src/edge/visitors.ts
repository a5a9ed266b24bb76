// Everybody who connects to the edge's one port: counted against the caps, given a few seconds to say whom they want,
// and handed on with their bytes untouched. Who does not say is closed without a word.
import { createServer, isIPv6, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { TunnelError, systemCode } from '../core/errors.ts';
import { formatHostPort, type HostPort } from '../core/hostname.ts';
import { parseClientHello } from './clientHello.ts';
import type { EdgeCounters } from './edgeCounters.ts';
import type { EdgeLimits } from './edgeLimits.ts';

export type Visitor = {
  /** Paused; everything it sent, the hello included, is still to be read from it. */
  socket: Socket;
  /** `ip:port`. */
  address: string;
  /** Lower-case; absent when the hello named nobody. */
  serverName?: string;
};

export type VisitorsOptions = {
  limits: EdgeLimits;
  clock: Clock;
  counters: EdgeCounters;
  onVisitor: (visitor: Visitor) => void;
};

export class Visitors {
  readonly #options: VisitorsOptions;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #perAddress = new Map<string, number>();

  constructor(options: VisitorsOptions) {
    this.#options = options;
  }

  /** Returns the port. Throws `PORT_IN_USE`. */
  async listen({ host, port }: HostPort): Promise<number> {
    // Half-open, so that a visitor that has said all it has to say still gets its answer.
    const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) =>
      this.#accept(socket),
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(listenError({ host, port }, cause)));
      server.listen({ host, port, backlog: 1024 }, resolve);
    });
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  #accept(socket: Socket): void {
    const { limits, counters } = this.#options;
    const { remoteAddress, remotePort } = socket;
    counters.connections += 1;
    socket.on('error', () => {}); // 'close' follows.
    if (remoteAddress === undefined || remotePort === undefined) return void socket.destroy(); // Gone already.

    const key = addressKey(remoteAddress);
    const sameAddress = this.#perAddress.get(key) ?? 0;
    if (this.#sockets.size >= limits.maxConnections || sameAddress >= limits.maxConnectionsPerAddress) {
      counters.overConnectionCap += 1;
      return void socket.destroy();
    }
    this.#sockets.add(socket);
    this.#perAddress.set(key, sameAddress + 1);
    socket.once('close', () => this.#forget(socket, key));
    this.#peek(socket, formatHostPort({ host: plainAddress(remoteAddress), port: remotePort }));
  }

  /** Collects bytes until they say whom the visitor wants, then puts them back in front. */
  #peek(socket: Socket, address: string): void {
    const { limits, clock, counters, onVisitor } = this.#options;
    let bytes: Buffer = Buffer.alloc(0);

    const stop = (): void => {
      deadline.cancel();
      socket.off('data', onData).off('end', giveUp).off('close', giveUp).pause();
    };
    const giveUp = (): void => {
      counters.noHello += 1;
      stop();
      socket.destroy();
    };
    const onData = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const hello = parseClientHello(bytes);
      if (hello.kind === 'incomplete') return;
      stop();
      if (hello.kind === 'invalid') {
        counters.notTls += 1;
        socket.destroy();
        return;
      }
      socket.unshift(bytes);
      onVisitor({ socket, address, ...(hello.serverName === undefined ? {} : { serverName: hello.serverName }) });
    };
    const deadline = clock.after(limits.helloMs, giveUp);
    socket.on('data', onData).once('end', giveUp).once('close', giveUp);
  }

  #forget(socket: Socket, key: string): void {
    this.#sockets.delete(socket);
    const left = (this.#perAddress.get(key) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(key);
    else this.#perAddress.set(key, left);
  }
}

/** What counts as one address: whoever has one IPv6 address has the 2⁶⁴ of its network. */
export function addressKey(address: string): string {
  const plain = plainAddress(address);
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.replace(/%.*$/, '').split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/** IPv4 as such, also where a dual-stack socket shows it as IPv6. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

function listenError(at: HostPort, cause: Error): TunnelError {
  const where = formatHostPort(at);
  const code = systemCode(cause);
  if (code === 'EADDRINUSE') {
    return new TunnelError('PORT_IN_USE', `${where} is in use by another program: choose another port`, { cause });
  }
  const why = code === 'EACCES' ? 'this user may not use the port, choose one from 1024 up' : cause.message;
  return new TunnelError('USAGE', `it is not possible to listen on ${where}: ${why}`, { cause });
}
