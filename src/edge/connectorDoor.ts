// The connectors' door: mutual TLS 1.3 with the edge's own CA, and nothing is read of a connector before its
// certificate was looked at. Who is turned away is told why in fixed bytes.
import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { connectorIdOf } from '../certs/connectorId.ts';
import type { Clock } from '../core/clock.ts';
import type { Framing } from '../protocol/edge.ts';
import { alpnsOf, framingOf, knownFramings } from '../wire/framings.ts';
import { refusalBytes, type Refusal } from '../wire/refusal.ts';
import type { EdgeAuthority } from './edgeAuthority.ts';

/** How long who was turned away may take to read why. */
const goodbyeMs = 2000;

export type Admitted = { socket: TLSSocket; connector: string; expiresMs: number };

export type ConnectorDoorOptions = {
  authority: EdgeAuthority;
  clock: Clock;
  handshakeMs: number;
  /** The preferred one first; absent means every one. */
  framings?: readonly Framing[];
  /** Why this connector may not have one more link, if so. */
  mayEnter: (connector: string) => Refusal | undefined;
  onConnector: (admitted: Admitted) => void;
  onRefused: (refusal: Refusal, connector: string | undefined) => void;
};

export class ConnectorDoor {
  readonly #options: ConnectorDoorOptions;
  readonly #server: Server;
  #shown: string | undefined;

  constructor(options: ConnectorDoorOptions) {
    this.#options = options;
    this.#server = createServer(
      // Every certificate is let through the handshake, so that its holder can be told what is wrong with it.
      {
        ALPNProtocols: alpnsOf(options.framings ?? knownFramings),
        requestCert: true,
        rejectUnauthorized: false,
        handshakeTimeout: options.handshakeMs,
      },
      (socket) => this.#meet(socket),
    );
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  /** `socket` is paused, and its ClientHello is still to be read. */
  accept(socket: Socket): void {
    this.#showIdentity();
    socket.allowHalfOpen = false; // Of a half-open link an HTTP/2 session may never notice the end.
    this.#server.emit('connection', socket);
  }

  #showIdentity(): void {
    const { keyPem, certificatePem } = this.#options.authority.serverIdentity();
    if (this.#shown === certificatePem) return;
    this.#shown = certificatePem;
    const ca = this.#options.authority.authority.certificatePem;
    this.#server.setSecureContext({ key: keyPem, cert: certificatePem, ca, minVersion: 'TLSv1.3' });
  }

  #meet(socket: TLSSocket): void {
    const { mayEnter, onConnector, onRefused } = this.#options;
    socket.on('error', () => {}); // 'close' follows.
    const framing = framingOf(socket);
    if (framing === undefined) return void socket.destroy();

    const certificate = socket.getPeerX509Certificate();
    const connector = certificate && connectorIdOf(certificate);
    const refusal = this.#fault(socket, certificate, connector) ?? mayEnter(connector ?? '');
    if (!refusal && certificate && connector !== undefined) {
      return onConnector({ socket, connector, expiresMs: Date.parse(certificate.validTo) });
    }
    onRefused(refusal ?? 'foreign', connector);
    socket.end(refusalBytes(refusal ?? 'foreign', framing));
    socket.resume();
    const goodbye = this.#options.clock.after(goodbyeMs, () => socket.destroy());
    socket.once('close', () => goodbye.cancel());
  }

  #fault(socket: TLSSocket, certificate?: X509Certificate, connector?: string): Refusal | undefined {
    if (!certificate) return 'no-certificate';
    const now = this.#options.clock.now();
    // Dates by our own clock as well: a resumed TLS session would not be asked again.
    const verdict = String(socket.authorizationError ?? '');
    const isSigned = socket.authorized || verdict === 'CERT_HAS_EXPIRED' || verdict === 'CERT_NOT_YET_VALID';
    if (!isSigned || connector === undefined) return 'foreign';
    if (verdict === 'CERT_HAS_EXPIRED' || Date.parse(certificate.validTo) <= now) return 'expired';
    if (verdict === 'CERT_NOT_YET_VALID' || Date.parse(certificate.validFrom) > now) return 'not-yet-valid';
    return this.#options.authority.isRevoked(connector) ? 'revoked' : undefined;
  }
}
