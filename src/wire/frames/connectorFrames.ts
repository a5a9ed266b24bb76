// The connector's end of a framed link: it takes the control conversation and visitors' streams, and opens none.
import type { TLSSocket } from 'node:tls';
import { TunnelError } from '../../core/errors.ts';
import { Peer } from '../../protocol/peer.ts';
import type { ConnectorLink, ConnectorLinkOptions, ConnectorPeer } from '../link.ts';
import { linePort } from '../linePort.ts';
import { refusalNamed } from '../refusal.ts';
import { shownAddress } from '../shownAddress.ts';
import { maxControlLineBytes } from '../windows.ts';
import { cutCode, decodeOpen, encodeNumber, frameType, ProtocolError } from './frame.ts';
import { FrameLink } from './frameLink.ts';

export class ConnectorFrames implements ConnectorLink {
  readonly control: Promise<ConnectorPeer>;
  readonly #link: FrameLink;
  readonly #onStream: ConnectorLinkOptions['onStream'];
  #reason: TunnelError | undefined;
  #peer: ConnectorPeer | undefined;
  #onControl: ((peer: ConnectorPeer) => void) | undefined;
  #lastStream = 0;

  constructor(socket: TLSSocket, { clock, onStream }: ConnectorLinkOptions) {
    this.#onStream = onStream;
    this.#link = new FrameLink(socket, {
      clock,
      onOpen: (stream, payload) => this.#onOpen(stream, payload),
      lastStream: () => this.#lastStream,
      onEnd: ({ goaway, fault }) => {
        if (fault === 'silence') this.#reason ??= new TunnelError('EDGE_UNREACHABLE', 'the edge stopped answering');
        else if (fault !== undefined) {
          this.#reason ??= new TunnelError('EDGE_UNREACHABLE', `the link to the edge broke: ${fault}`);
        } else if (goaway !== undefined) this.#reason ??= refusalNamed(goaway);
      },
    });
    this.control = new Promise((resolve, reject) => {
      this.#onControl = resolve;
      void this.#link.ended.then(() => reject(this.reason));
    });
    this.control.catch(() => {}); // Whoever waits for it hears of it; nobody has to.
  }

  get streams(): number {
    return this.#link.streams;
  }

  get reason(): TunnelError {
    return this.#reason ?? new TunnelError('EDGE_UNREACHABLE', 'the edge closed the link');
  }

  onClose(closed: (reason: TunnelError) => void): void {
    void this.#link.ended.then(() => closed(this.reason));
  }

  end(reason: TunnelError): Promise<void> {
    this.#reason ??= reason;
    return this.close();
  }

  async close(): Promise<void> {
    this.#peer?.close();
    this.#link.destroy();
    await this.#link.ended;
  }

  #onOpen(id: number, payload: Buffer): void {
    if (id === 0) return this.#openControl(payload);
    if (!this.#peer) throw new ProtocolError('OPEN of a visitor before the control stream');
    if (id !== this.#lastStream + 1) throw new ProtocolError(`OPEN of stream ${id} after ${this.#lastStream}`);
    const { hostname, visitor } = decodeOpen(payload);
    this.#lastStream = id;
    if (this.#link.isFull) return this.#link.post(encodeNumber(frameType.cut, id, cutCode.refused));
    this.#onStream(this.#link.addStream(id), { hostname, visitor: shownAddress(visitor) });
  }

  #openControl(payload: Buffer): void {
    if (this.#peer || payload.length > 0) throw new ProtocolError('OPEN of the control stream twice');
    const limits = { maxLineBytes: maxControlLineBytes, maxQueuedBytes: 16 * maxControlLineBytes };
    this.#peer = new Peer(linePort(this.#link.control, limits));
    this.#peer.onClose(() => void this.close());
    this.#onControl?.(this.#peer);
  }
}
