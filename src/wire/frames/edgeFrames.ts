// The edge's end of a framed link: it opens the control conversation and one stream per visitor.
import type { TLSSocket } from 'node:tls';
import { TunnelError } from '../../core/errors.ts';
import { Peer } from '../../protocol/peer.ts';
import type { EdgeLink, EdgeLinkOptions, EdgePeer, StreamHead, VisitorStream } from '../link.ts';
import { linePort } from '../linePort.ts';
import { maxControlLineBytes } from '../windows.ts';
import { encodeFrame, encodeOpen, frameType, maxStreamId, ProtocolError } from './frame.ts';
import { FrameLink } from './frameLink.ts';

export class EdgeFrames implements EdgeLink {
  readonly control: EdgePeer;
  readonly #link: FrameLink;
  #lastStream = 0;

  constructor(socket: TLSSocket, { clock }: EdgeLinkOptions) {
    this.#link = new FrameLink(socket, {
      clock,
      onOpen: () => {
        throw new ProtocolError('OPEN from the connector');
      },
      lastStream: () => this.#lastStream,
      onEnd: () => {},
    });
    this.#link.post(encodeFrame(frameType.open, 0));
    const limits = { maxLineBytes: maxControlLineBytes, maxQueuedBytes: 16 * maxControlLineBytes };
    this.control = new Peer(linePort(this.#link.control, limits));
    this.control.onClose(() => void this.close());
  }

  get streams(): number {
    return this.#link.streams;
  }

  get bytesInFlight(): number {
    return this.#link.bytesInFlight;
  }

  get closed(): boolean {
    return this.#link.isOver;
  }

  onClose(closed: () => void): void {
    void this.#link.ended.then(closed);
  }

  openStream({ hostname, visitor }: StreamHead): VisitorStream {
    if (this.closed) throw new TunnelError('CLOSED', 'the link to the connector is gone');
    if (this.#link.isFull || this.#lastStream === maxStreamId) {
      throw new TunnelError('LIMIT', 'the link serves as many visitors as it can');
    }
    this.#lastStream += 1;
    this.#link.post(encodeOpen(this.#lastStream, hostname, visitor));
    return this.#link.addStream(this.#lastStream);
  }

  async close(): Promise<void> {
    this.control.close();
    this.#link.destroy();
    await this.#link.ended;
  }
}
