// The enrolment door: server TLS alone, because who comes here has no certificate yet. One short request for each
// connection; what it says is the handler's business.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import { strongTls } from '../certs/tlsProfile.ts';
import type { Clock } from '../core/clock.ts';
import type { EdgeAuthority } from './edgeAuthority.ts';

/** How long a connection may take in all. */
export const enrolConnectionMs = 30_000;

export type EnrolDoorOptions = {
  authority: Pick<EdgeAuthority, 'serverIdentity'>;
  clock: Clock;
  handshakeMs: number;
  handler: (request: IncomingMessage, response: ServerResponse) => void;
};

export class EnrolDoor {
  readonly #options: EnrolDoorOptions;
  readonly #server: Server;
  #shown: string | undefined;

  constructor(options: EnrolDoorOptions) {
    this.#options = options;
    this.#server = createServer(
      { ALPNProtocols: ['http/1.1'], handshakeTimeout: options.handshakeMs, maxHeaderSize: 8192 },
      options.handler,
    );
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** `socket` is paused, and its ClientHello is still to be read. */
  accept(socket: Socket): void {
    const { authority, clock } = this.#options;
    const { keyPem, certificatePem } = authority.serverIdentity();
    if (this.#shown !== certificatePem) {
      this.#shown = certificatePem;
      this.#server.setSecureContext({ ...strongTls, key: keyPem, cert: certificatePem });
    }
    const deadline = clock.after(enrolConnectionMs, () => socket.destroy());
    socket.once('close', () => deadline.cancel());
    this.#server.emit('connection', socket);
  }
}
