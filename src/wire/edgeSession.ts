// The edge's end of a link: on a socket that the connector dialled, the edge is the HTTP/2 client. It opens the
// control stream and one CONNECT stream per visitor. It never resets a visitor's stream: Node's HTTP/2 server answers
// about a thousand resets with GOAWAY, so a visitor that left is told by END_STREAM, and what still comes is thrown away.
import { connect, constants, type ClientHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import { controlPath, visitorHeader } from '../protocol/edge.ts';
import { Peer } from '../protocol/peer.ts';
import { watchHttp2Health } from './health.ts';
import type { EdgeLink, EdgeLinkOptions, EdgePeer, StreamHead, VisitorStream } from './link.ts';
import { linePort } from './linePort.ts';
import { RecentBytes } from './recentBytes.ts';
import { linkWindowBytes, maxControlLineBytes, maxStreamsPerLink, sessionOptions } from './windows.ts';

export class EdgeSession implements EdgeLink {
  readonly control: EdgePeer;
  readonly #http: ClientHttp2Session;
  readonly #socket: TLSSocket;
  readonly #ended: Promise<void>;
  readonly #streams = new Set<VisitorStream>();
  readonly #recent = new RecentBytes();
  readonly #clock: Clock;

  constructor(socket: TLSSocket, { clock }: EdgeLinkOptions) {
    socket.setNoDelay(true);
    this.#socket = socket;
    this.#clock = clock;
    this.#http = connect('https://connector', {
      ...sessionOptions,
      peerMaxConcurrentStreams: sessionOptions.settings.maxConcurrentStreams,
      createConnection: () => socket,
    });
    this.#http.on('error', () => {}); // 'close' follows, and that is what counts.
    this.#http.once('connect', () => {
      if (!this.#http.destroyed) this.#http.setLocalWindowSize(linkWindowBytes);
    });
    this.#ended = new Promise((resolve) => this.#http.once('close', resolve));
    socket.once('close', () => this.#http.destroy());
    watchHttp2Health(this.#http, clock, () => void this.close());

    const stream = this.#http.request({ ':method': 'POST', ':path': controlPath }, { endStream: false });
    stream.on('error', () => {});
    const port = linePort(stream, { maxLineBytes: maxControlLineBytes, maxQueuedBytes: 16 * maxControlLineBytes });
    this.control = new Peer(port);
    this.control.onClose(() => void this.close());
  }

  get streams(): number {
    return this.#streams.size;
  }

  get bytesInFlight(): number {
    let bytes = 0;
    for (const stream of this.#streams) bytes += stream.readableLength + stream.writableLength;
    return bytes + this.#recent.count(this.#clock.now());
  }

  get closed(): boolean {
    return this.#http.closed || this.#http.destroyed;
  }

  onClose(closed: () => void): void {
    void this.#ended.then(closed);
  }

  openStream({ hostname, visitor }: StreamHead): VisitorStream {
    if (this.closed) throw new TunnelError('CLOSED', 'the link to the connector is gone');
    if (this.#streams.size >= maxStreamsPerLink)
      throw new TunnelError('LIMIT', 'the link serves as many visitors as it can');
    const stream = this.#http.request({ ':method': 'CONNECT', ':authority': hostname, [visitorHeader]: visitor });
    this.#streams.add(stream);
    this.#count(stream);
    stream.on('error', () => {}); // Whoever uses it looks at 'close' and `rstCode`.
    stream.once('close', () => this.#streams.delete(stream));
    return stream;
  }

  /** Of what passes, HTTP/2 tells neither end how much is under way. */
  #count(stream: Duplex): void {
    const [push, write] = [stream.push.bind(stream), stream.write.bind(stream)];
    const add = (chunk: unknown): void => {
      if (chunk instanceof Uint8Array) this.#recent.add(chunk.length, this.#clock.now());
    };
    stream.push = (...args) => {
      add(args[0]);
      return push(...args);
    };
    stream.write = ((...args: Parameters<typeof write>) => {
      add(args[0]);
      return write(...args);
    }) as typeof write;
  }

  async close(): Promise<void> {
    this.control.close();
    // With a code, or its streams would look as if they had ended in order.
    this.#http.destroy(new TunnelError('CLOSED', 'the link was closed'), constants.NGHTTP2_CANCEL);
    this.#socket.destroy();
    await this.#ended;
  }
}
