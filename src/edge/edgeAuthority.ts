// What an edge asks about certificates and names, by who asks. `EdgeState` answers all of it from the edge's files; an
// embedded edge answers what a relay asks from memory. Stores share the rules (`tokenRules`, `connectorRules`,
// `labelRules`) and differ in where the records are.
import type { KeyObject } from 'node:crypto';
import type { Unsubscribe } from '../core/emitter.ts';
import type { Closable } from '../core/lifetime.ts';
import type { Claim, ConnectorRecord, TokenRecord } from './edgeRecords.ts';
import type { ServerCertificate } from './serverIdentity.ts';
import type { TokenWish } from './tokenRules.ts';

/** What the relay itself asks. */
export interface EdgeAuthority extends ConnectorIssuer {
  /** Key and certificate of the edge's own doors; may change while the edge runs. */
  serverIdentity(): Omit<ServerCertificate, 'pin'>;
  /** True for a connector that nobody knows. */
  isRevoked(connector: string): boolean;
  onRevoked(listener: (connector: string) => void): Unsubscribe;
  /** The end of the newest certificate the connector was given: its links live as long, whichever it showed. */
  certifiedUntilMs(connector: string): number;
  /** As far as is known now. */
  ownerOf(label: string): string | undefined;
  /** A label lost its owner, to another or to nobody; ask {@link ownerOf}. */
  onMoved(listener: (label: string) => void): Unsubscribe;
  /** Throws `ROUTE_DENIED` when the label is another connector's, reserved or no label at all; `CERTIFICATE_INVALID`; `LIMIT`. */
  claimLabel(label: string, connector: string): Promise<void>;
  /** These labels are in use. */
  touchLabels(labels: readonly string[]): Promise<void>;
  /** Hears of changes by other processes until closed. */
  watch(onProblem: (error: unknown) => void): Closable;
}

/** What it takes to give a connector its next certificate (`certificates.ts` puts it together). */
export interface ConnectorIssuer {
  /** The CA that signs the connectors' certificates. */
  readonly authority: {
    readonly certificatePem: string;
    issueClient(wanted: { uri: string; publicKey: KeyObject; days: number }): string;
  };
  /** Notes that the connector gets a certificate that ends then. Throws `CERTIFICATE_INVALID`, `LIMIT`. */
  noteRenewal(connector: string): Promise<{ expiresMs: number }>;
}

/** What the enrolment door asks. */
export interface EnrolmentAuthority extends Pick<ConnectorIssuer, 'authority'> {
  readonly domain: string;
  /** Throws `ENROLMENT_REFUSED`, never saying why. Spends nothing. */
  checkToken(token: string): Promise<void>;
  /** Makes the token's one connector; the token is gone before this resolves. Throws `ENROLMENT_REFUSED`, `LIMIT`. */
  spendToken(token: string): Promise<{ connector: string; expiresMs: number }>;
}

/** What whoever runs the edge asks and orders. */
export interface EdgeAdministration {
  readonly domain: string;
  serverIdentity(): Pick<ServerCertificate, 'pin'>;
  /** The text exists in the answer only; `id` names it later. Throws `USAGE`, `NOT_FOUND`, `LIMIT`. */
  mintToken(wish?: TokenWish): Promise<{ token: string; id: string; expiresMs: number }>;
  /** Unspent and not expired. */
  tokens(): readonly TokenRecord[];
  /** By the id it was minted with. Throws `NOT_FOUND`. */
  revokeToken(id: string): Promise<void>;
  connectors(): readonly ConnectorRecord[];
  /** Idempotent. Its labels are free at once; `NOT_FOUND` for an unknown id. */
  revokeConnector(id: string): Promise<void>;
  claims(): readonly Claim[];
  /** Whoever has it loses it. Throws `USAGE`, `NOT_FOUND`, `LIMIT`. */
  transferLabel(label: string, connector: string): Promise<void>;
  /** Throws `NOT_FOUND` where nobody owns it. */
  releaseLabel(label: string): Promise<void>;
  /** So that the lists are of now. */
  refresh(): Promise<void>;
}

export interface EdgeStore extends EdgeAuthority, EnrolmentAuthority, EdgeAdministration {
  serverIdentity(): ServerCertificate;
}
