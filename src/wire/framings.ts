// The framings of a link, and the one place at each end that makes the right one: the ALPN of the connection decides,
// which the edge chooses from what both know.
import type { TLSSocket } from 'node:tls';
import { connectorAlpn, type Framing } from '../protocol/edge.ts';
import { ConnectorSession } from './connectorSession.ts';
import { EdgeSession } from './edgeSession.ts';
import { ConnectorFrames } from './frames/connectorFrames.ts';
import { EdgeFrames } from './frames/edgeFrames.ts';
import type { ConnectorLink, ConnectorLinkOptions, EdgeLink, EdgeLinkOptions } from './link.ts';

/** The preferred one first. */
export const knownFramings: readonly Framing[] = ['frames', 'http2'];

export function alpnsOf(framings: readonly Framing[]): string[] {
  return framings.map((framing) => connectorAlpn[framing]);
}

export function framingOf({ alpnProtocol }: Pick<TLSSocket, 'alpnProtocol'>): Framing | undefined {
  return knownFramings.find((framing) => connectorAlpn[framing] === alpnProtocol);
}

export function openEdgeLink(socket: TLSSocket, options: EdgeLinkOptions): EdgeLink {
  return framingOf(socket) === 'frames' ? new EdgeFrames(socket, options) : new EdgeSession(socket, options);
}

export function openConnectorLink(socket: TLSSocket, options: ConnectorLinkOptions): ConnectorLink {
  return framingOf(socket) === 'frames' ? new ConnectorFrames(socket, options) : new ConnectorSession(socket, options);
}
