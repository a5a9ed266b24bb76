// Everybody who connects to the edge's one port: counted against the caps, given a few seconds to say whom they want,
// and handed on with their bytes untouched. Who does not say is closed without a word.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { TunnelError, systemCode } from '../core/errors.ts';
import { formatHostPort, type HostPort } from '../core/hostname.ts';
import { isInNetwork, parseAddress, type Network } from '../core/network.ts';
import { AddressCaps } from './addressCaps.ts';
import { plainAddress } from './addressKey.ts';
import type { EdgeCounters } from './edgeCounters.ts';
import type { EdgeLimits } from './edgeLimits.ts';
import { Opening, type Introduced } from './opening.ts';

export type Visitor = {
  /** Paused; everything it sent, the hello included, is still to be read from it. */
  socket: Socket;
  /** Whose it is: as the socket says, or the load balancer in front. */
  from: HostPort;
  /** Lower-case; absent when the hello named nobody. */
  serverName?: string;
  /** An authority that looks whether a name is somebody's, or somebody who says so; it can do nothing else. */
  isChallenge: boolean;
};

export type VisitorsOptions = {
  limits: EdgeLimits;
  clock: Clock;
  counters: EdgeCounters;
  /** Load balancers: what they open begins with a PROXY header, and what others open does not. */
  proxies: readonly Network[];
  onVisitor: (visitor: Visitor) => void;
};

export class Visitors {
  readonly #options: VisitorsOptions;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  /** Those that have not said whom they want, in the order they came, and how each is closed. */
  readonly #halfOpen = new Map<Socket, () => void>();
  readonly #caps: AddressCaps;

  constructor(options: VisitorsOptions) {
    this.#options = options;
    this.#caps = new AddressCaps(options);
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
    // Whatever goes wrong with one connection, the edge goes on to listen.
    server.on('error', () => (this.#options.counters.notAccepted += 1));
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  /** Nobody new comes in; who is here stays. Resolves at once: a server says that it is closed with its last connection. */
  async stopListening(): Promise<void> {
    for (const server of this.#servers) server.close();
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
    if (this.#sockets.size >= limits.maxConnections) {
      counters.overConnectionCap += 1;
      return void socket.destroy();
    }
    const from = { host: plainAddress(remoteAddress), port: remotePort };
    const isProxied = this.#isProxy(from.host);
    if (!isProxied && !this.#mayEnter(socket, from.host)) return void socket.destroy();
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    this.#peek(socket, from, isProxied);
  }

  #isProxy(address: string): boolean {
    const { proxies } = this.#options;
    const parsed = proxies.length === 0 ? undefined : parseAddress(address);
    return parsed !== undefined && proxies.some((network) => isInNetwork(parsed, network));
  }

  /** Counts the connection as this address's for as long as it is open. */
  #mayEnter(socket: Socket, address: string): boolean {
    const { counters } = this.#options;
    const verdict = this.#caps.enter(address);
    if (verdict === 'too-many') counters.overConnectionCap += 1;
    if (verdict === 'too-fast') counters.overAddressRate += 1;
    if (verdict !== 'entered') return false;
    socket.once('close', () => this.#caps.leave(address));
    return true;
  }

  /** Collects bytes until they say whom the visitor wants, then puts them back in front. */
  #peek(socket: Socket, peer: HostPort, isProxied: boolean): void {
    const { limits, clock, counters, onVisitor } = this.#options;
    const opening = new Opening({ limits, isProxied });

    const stop = (): void => {
      deadline.cancel();
      this.#halfOpen.delete(socket);
      socket.off('data', onData).off('end', giveUp).off('close', giveUp).pause();
    };
    const closeFor = (counter: keyof EdgeCounters): void => {
      counters[counter] += 1;
      stop();
      socket.destroy();
    };
    const giveUp = (): void => {
      if (!isProxied || opening.introduced) closeFor(opening.introduced?.isCheck ? 'balancerChecks' : 'noHello');
      else closeFor('badProxyHeader');
    };
    const onData = (chunk: Buffer): void => {
      const said = opening.add(chunk);
      if (!said) return;
      if (said.kind === 'bad-proxy-header') return closeFor('badProxyHeader');
      if (said.kind === 'not-tls') return closeFor('notTls');
      stop();
      const from = sourceOf(opening.introduced, peer);
      if (isProxied && !this.#mayEnter(socket, from.host)) return void socket.destroy();
      socket.unshift(said.rest);
      const { serverName, isChallenge } = said;
      onVisitor({ socket, from, isChallenge, ...(serverName === undefined ? {} : { serverName }) });
    };
    const deadline = clock.after(limits.helloMs, giveUp);
    socket.on('data', onData).once('end', giveUp).once('close', giveUp);
    this.#halfOpen.set(socket, () => closeFor('overHalfOpen'));
    if (this.#halfOpen.size > limits.maxHalfOpen) this.#halfOpen.values().next().value?.();
  }
}

/** A balancer that does not know, or speaks for itself, counts as what it is. */
function sourceOf(introduced: Introduced | undefined, peer: HostPort): HostPort {
  return introduced?.source ?? peer;
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
