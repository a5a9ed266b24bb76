// What an edge of several nodes asks before it lets a link serve a name, and tells when it does. An edge alone has none.
import type { Admission } from '../core/admission.ts';
import type { Unsubscribe } from '../core/emitter.ts';
import type { RouteClaim } from '../protocol/edge.ts';

export type SharedRoute = {
  label: string;
  connector: string;
  instance: string;
  run: string;
  sinceMs: number;
  admission: Admission | undefined;
};

export interface RouteSharing {
  /** Makes the label the connector's and the run the one that may serve it. Throws like `claimLabel`, or `ROUTE_BUSY`. */
  claim(claim: RouteClaim, connector: string): Promise<void>;
  /** This node serves it now; resolves when the others can know. */
  publish(route: SharedRoute): Promise<void>;
  /** This node serves it no longer. */
  withdraw(label: string, run: string): void;
  /** The run must not serve the label any more: a newer one came in by another node. */
  onLost(listener: (lost: { label: string; run: string }) => void): Unsubscribe;
}
