// What an edge that is one of several nodes has beside its own routes. `cluster/cluster.ts` is one; an edge alone has none.
import type { Socket } from 'node:net';
import type { Closable } from '../core/lifetime.ts';
import type { HostPort } from '../core/hostname.ts';
import type { EdgeLimits } from './edgeLimits.ts';
import type { Elsewhere, VisitorEnd } from './elsewhere.ts';
import type { RouteSharing } from './routeSharing.ts';

export type ClusterHost = {
  limits: EdgeLimits;
  /** One that came to the node door has proved that it is a node. */
  onNode: (socket: Socket) => void;
  /** A visitor that another node hands on: for this node's own routes only. */
  onVisitor: (visitor: VisitorEnd, hostname: string, from: HostPort) => void;
};

export interface EdgeCluster {
  readonly sharing: RouteSharing;
  /** The name by which other nodes come. */
  readonly nodeDoor: string;
  /** Where else connectors find this edge, `host:port` each. */
  nodes(): string[];
  /** Before visitors come. */
  attach(host: ClusterHost): Elsewhere;
  /** Another node: paused, with its ClientHello still to be read. */
  acceptNode(socket: Socket): void;
  /** Tells the others that this node is up, at the port it listens on. Ends with the edge. Throws `TIMEOUT`. */
  announce(port: number): Promise<Closable>;
}
