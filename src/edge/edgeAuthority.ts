// What an edge asks about certificates and names. `EdgeState` answers from the edge's files; an embedded edge answers
// from memory.
import type { Unsubscribe } from '../core/emitter.ts';
import type { Closable } from '../core/lifetime.ts';

export interface EdgeAuthority {
  /** The CA that signs the connectors' certificates. */
  readonly authority: { readonly certificatePem: string };
  /** Key and certificate of the edge's own doors; may change while the edge runs. */
  serverIdentity(): { keyPem: string; certificatePem: string };
  /** True for a connector that nobody knows. */
  isRevoked(connector: string): boolean;
  onRevoked(listener: (connector: string) => void): Unsubscribe;
  /** Throws `ROUTE_DENIED` when the label is another connector's or no label at all; `CERTIFICATE_INVALID`; `LIMIT`. */
  claimLabel(label: string, connector: string): Promise<void>;
  /** These labels are in use. */
  touchLabels(labels: readonly string[]): Promise<void>;
  /** Hears of changes by other processes until closed. */
  watch(onProblem: (error: unknown) => void): Closable;
}
