// The connector's end of a link: on the socket it dialled, the connector is the HTTP/2 server. It takes one control
// stream and any number of CONNECT streams, one per visitor, and answers anything else with an error.
import {
  constants,
  performServerHandshake,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { TunnelError } from '../core/errors.ts';
import { controlPath, visitorHeader } from '../protocol/edge.ts';
import { Peer } from '../protocol/peer.ts';
import { watchHttp2Health } from './health.ts';
import type { ConnectorLink, ConnectorLinkOptions, ConnectorPeer } from './link.ts';
import { linePort } from './linePort.ts';
import { refusalError } from './refusal.ts';
import { shownAddress } from './shownAddress.ts';
import { linkWindowBytes, maxControlLineBytes, sessionOptions } from './windows.ts';

export class ConnectorSession implements ConnectorLink {
  readonly control: Promise<ConnectorPeer>;
  readonly #http: ServerHttp2Session;
  readonly #socket: TLSSocket;
  readonly #ended: Promise<void>;
  #reason: TunnelError | undefined;
  #peer: ConnectorPeer | undefined;
  #streams = 0;

  constructor(socket: TLSSocket, { clock, onStream }: ConnectorLinkOptions) {
    socket.setNoDelay(true);
    this.#socket = socket;
    this.#http = performServerHandshake(socket, { ...sessionOptions });
    this.#http.setLocalWindowSize(linkWindowBytes);
    this.#http.on('error', (cause: Error) => {
      this.#reason ??= new TunnelError('EDGE_UNREACHABLE', 'the link to the edge broke', { cause });
    });
    this.#http.on('goaway', (code: number, _lastStream: number, opaque?: Uint8Array) => {
      this.#reason ??= refusalError(code, opaque);
    });
    this.#ended = new Promise((resolve) => this.#http.once('close', resolve));
    socket.once('close', () => this.#http.destroy());
    watchHttp2Health(this.#http, clock, () => {
      void this.end(new TunnelError('EDGE_UNREACHABLE', 'the edge stopped answering'));
    });
    this.control = new Promise((resolve, reject) => {
      void this.#ended.then(() => reject(this.reason));
      this.#http.on('stream', (stream, headers) => this.#take(stream, headers, onStream, resolve));
    });
    this.control.catch(() => {}); // Whoever waits for it hears of it; nobody has to.
  }

  get streams(): number {
    return this.#streams;
  }

  get reason(): TunnelError {
    return this.#reason ?? new TunnelError('EDGE_UNREACHABLE', 'the edge closed the link');
  }

  onClose(closed: (reason: TunnelError) => void): void {
    void this.#ended.then(() => closed(this.reason));
  }

  end(reason: TunnelError): Promise<void> {
    this.#reason ??= reason;
    return this.close();
  }

  async close(): Promise<void> {
    this.#peer?.close();
    this.#http.destroy();
    this.#socket.destroy();
    await this.#ended;
  }

  #take(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    onStream: ConnectorLinkOptions['onStream'],
    onControl: (peer: ConnectorPeer) => void,
  ): void {
    stream.on('error', () => {}); // A visitor that left; 'close' follows.
    const method = headers[':method'];
    if (method === 'CONNECT') {
      stream.respond({ ':status': 200 });
      this.#streams += 1;
      stream.once('close', () => (this.#streams -= 1));
      onStream(stream, { hostname: headers[':authority'] ?? '', visitor: shownAddress(headers[visitorHeader]) });
    } else if (method === 'POST' && headers[':path'] === controlPath && !this.#peer) {
      stream.respond({ ':status': 200 });
      onControl(this.#openControl(stream));
    } else {
      stream.respond({ ':status': constants.HTTP_STATUS_NOT_FOUND }, { endStream: true });
    }
  }

  #openControl(stream: ServerHttp2Stream): ConnectorPeer {
    const port = linePort(stream, { maxLineBytes: maxControlLineBytes, maxQueuedBytes: 16 * maxControlLineBytes });
    this.#peer = new Peer(port);
    this.#peer.onClose(() => void this.close());
    return this.#peer;
  }
}
