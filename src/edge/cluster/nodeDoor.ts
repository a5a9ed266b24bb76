// Where other nodes hand their visitors on: mutual TLS 1.3 with the CA they share, and only a node's certificate is let
// in. It takes the connector's end of a link, whose visitors go to this node's own routes and never to a third node.
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { nodeIdOf } from '../../certs/nodeId.ts';
import type { Clock } from '../../core/clock.ts';
import { TunnelError } from '../../core/errors.ts';
import { parseHostPort, type HostPort } from '../../core/hostname.ts';
import { alpnsOf, framingOf, knownFramings, openConnectorLink } from '../../wire/framings.ts';
import type { ConnectorLink, StreamHead } from '../../wire/link.ts';
import type { EdgeLog } from '../edgeLog.ts';
import type { VisitorEnd } from '../elsewhere.ts';
import type { NodeIdentity, NodeTls } from './nodeIdentity.ts';

/** Links of all other nodes together; the next one is closed. */
export const maxNodeLinks = 256;

export type NodeDoorOptions = {
  identity: NodeIdentity;
  clock: Clock;
  log: EdgeLog;
  handshakeMs: number;
  onNode: (socket: TLSSocket) => void;
  onVisitor: (visitor: VisitorEnd, hostname: string, from: HostPort) => void;
};

export class NodeDoor {
  readonly #options: NodeDoorOptions;
  readonly #server: Server;
  readonly #links = new Set<ConnectorLink>();
  #shown: NodeTls | undefined;

  constructor(options: NodeDoorOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        ALPNProtocols: alpnsOf(knownFramings),
        requestCert: true,
        rejectUnauthorized: true,
        handshakeTimeout: options.handshakeMs,
      },
      (socket) => this.#meet(socket),
    );
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  /** `socket` is paused, and its ClientHello is still to be read. */
  accept(socket: Socket): void {
    const tls = this.#options.identity.current();
    if (this.#shown !== tls) {
      this.#shown = tls;
      this.#server.setSecureContext({ ...tls, minVersion: 'TLSv1.3' });
    }
    socket.allowHalfOpen = false; // Of a half-open link a session may never notice the end.
    this.#server.emit('connection', socket);
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#links, (link) => link.close()));
  }

  #meet(socket: TLSSocket): void {
    const { clock, log, onNode } = this.#options;
    socket.on('error', () => {}); // 'close' follows.
    const certificate = socket.getPeerX509Certificate();
    const node = certificate && nodeIdOf(certificate);
    // The dates again: a resumed TLS session would not be asked for them.
    const isValid = certificate && Date.parse(certificate.validTo) > clock.now();
    if (!socket.authorized || node === undefined || !isValid || framingOf(socket) === undefined) {
      log.warn('node-refused', 'somebody without a node’s certificate came to the door of nodes');
      return void socket.destroy();
    }
    if (this.#links.size >= maxNodeLinks) return void socket.destroy();
    onNode(socket);
    const link = openConnectorLink(socket, { clock, onStream: (stream, head) => this.#take(stream, head) });
    this.#links.add(link);
    link.onClose(() => this.#links.delete(link));
    link.control.then((peer) => peer.start()).catch(() => {}); // Nodes say nothing by it; its end is the link's.
  }

  #take(stream: Duplex, { hostname, visitor }: StreamHead): void {
    this.#options.onVisitor(handedOn(stream), hostname, addressOf(visitor));
  }
}

/** The stream as a visitor's end. How long it may be silent is judged where its socket is. */
export function handedOn(stream: Duplex): VisitorEnd {
  return Object.assign(stream, {
    // Counted where its socket is, too.
    bytesRead: 0,
    bytesWritten: 0,
    setTimeout: () => {},
    // With an error, so that it does not look like an end.
    resetAndDestroy: () => void stream.destroy(new TunnelError('CLOSED', 'the visitor was cut off')),
  });
}

/** An address that cannot be read is nobody's, whom no admission lets in. */
function addressOf(text: string): HostPort {
  try {
    return parseHostPort(text, 1);
  } catch {
    return { host: 'unknown', port: 0 };
  }
}
