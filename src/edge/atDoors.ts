// Connections at the edge's own doors that have not proved who they are. Whoever names a door needs no certificate for
// as long as a handshake may take, so without a number of their own they could take every place of an edge.
import type { Socket } from 'node:net';
import type { EdgeLimits } from './edgeLimits.ts';

export type AtDoorsOptions = { limits: Pick<EdgeLimits, 'maxAtDoors'>; onCut: () => void };

type Ends = Pick<Socket, 'localAddress' | 'remoteAddress' | 'remotePort'>;

export class AtDoors {
  readonly #options: AtDoorsOptions;
  /** In the order they came. */
  readonly #waiting = new Map<string, Socket>();

  constructor(options: AtDoorsOptions) {
    this.#options = options;
  }

  /** Until it closes or was {@link admitted}; of too many, the one that has been here for longest is closed. */
  add(socket: Socket): void {
    const place = placeOf(socket);
    this.#waiting.set(place, socket);
    socket.once('close', () => {
      if (this.#waiting.get(place) === socket) this.#waiting.delete(place);
    });
    if (this.#waiting.size <= this.#options.limits.maxAtDoors) return;
    const [longest] = this.#waiting;
    if (!longest) return;
    this.#waiting.delete(longest[0]);
    this.#options.onCut();
    longest[1].destroy();
  }

  /** `socket` may be the TLS around the one that came, which does not lead back to it. */
  admitted(socket: Ends): void {
    this.#waiting.delete(placeOf(socket));
  }
}

/** No two connections that are open have the same; the port is the edge's one. */
const placeOf = ({ localAddress, remoteAddress, remotePort }: Ends): string =>
  `${localAddress} ${remoteAddress} ${remotePort}`;
