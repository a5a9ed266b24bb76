// Names that are not served here but by another node of the same edge: a visitor is judged as one of a route of its own
// is, and then handed on. An edge alone has none.
import type { Duplex } from 'node:stream';
import type { VisitorStream } from '../wire/link.ts';
import type { Route } from './routeRegistry.ts';

/** The visitor's end of a connection: its socket, or the stream by which another node hands it on. */
export type VisitorEnd = Duplex & {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  setTimeout(ms: number): unknown;
  resetAndDestroy(): unknown;
};

export type FarRoute = Pick<Route, 'hostname' | 'connector' | 'admission' | 'fresh'>;

export interface Elsewhere {
  find(hostname: string): FarRoute | undefined;
  /**
   * A stream to a node that serves the name, paused, with the first of its answer to be read; `undefined` where nobody
   * answers in time or the visitor leaves meanwhile. What the visitor sent so far is read from it and sent on. A node
   * that gave no byte back may have its place taken by another: only a ClientHello was sent, and nobody acts on one twice.
   */
  open(visitor: VisitorEnd, route: FarRoute, address: string): Promise<VisitorStream | undefined>;
}
