// What a link between connector and edge is, whatever frames it: the ALPN of its TLS chooses the framing. The edge opens
// one stream per visitor, the connector takes them, and one control conversation goes beside them.
import type { Duplex } from 'node:stream';
import type { Clock } from '../core/clock.ts';
import type { TunnelError } from '../core/errors.ts';
import type { ConnectorControl, EdgeControl } from '../protocol/edge.ts';
import type { Peer } from '../protocol/peer.ts';

export type StreamHead = {
  /** The name the visitor asked for. */
  hostname: string;
  /** Its address, `ip:port`. */
  visitor: string;
};

/** A stream that ended tells how, once it is closed: 0 in order, anything else cut. */
export type VisitorStream = Duplex & {
  readonly rstCode: number;
  /** Written and not sent, in bytes; absent where that is what the stream itself counts (`writableLength`). */
  readonly unsentBytes?: number;
};

export type EdgePeer = Peer<EdgeControl, ConnectorControl>;
export type ConnectorPeer = Peer<ConnectorControl, EdgeControl>;

export type EdgeLinkOptions = { clock: Clock };

export type ConnectorLinkOptions = {
  clock: Clock;
  /** A visitor: its inner TLS comes on the stream. */
  onStream: (stream: Duplex, head: StreamHead) => void;
};

/** The edge's end. */
export interface EdgeLink {
  /** Set the handlers, then call `start`. */
  readonly control: EdgePeer;
  /** Visitors being served. */
  readonly streams: number;
  /** What is under way both ways, in bytes, as far as this end can know: to compare links of one route by. */
  readonly bytesInFlight: number;
  readonly closed: boolean;
  onClose(closed: () => void): void;
  /** A stream to the connector for one visitor. Throws `LIMIT` when the link is full, `CLOSED` when it is gone. */
  openStream(head: StreamHead): VisitorStream;
  /** Cuts all visitors off. */
  close(): Promise<void>;
}

/** The connector's end. */
export interface ConnectorLink {
  /** The control conversation, once the edge has opened it (set the listeners, then `start`); rejects when it never does. */
  readonly control: Promise<ConnectorPeer>;
  /** Visitors being served. */
  readonly streams: number;
  /** Why the link ended; meaningful once it has. */
  readonly reason: TunnelError;
  onClose(closed: (reason: TunnelError) => void): void;
  /** Closes it for a reason of this side's own. */
  end(reason: TunnelError): Promise<void>;
  close(): Promise<void>;
}
