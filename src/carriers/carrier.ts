// What brings agents to this machine. A carrier gets two functions: `serve`, which takes one visitor's HTTP request
// into the gateway, and `mayDial`, which asks the policy before anything is dialled. It knows nothing else of us.
import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Admission } from '../core/admission.ts';
import type { ErrorInfo } from '../core/errors.ts';
import type { CertificateInfo, Privacy } from '../protocol/control.ts';

export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = ServerResponse | Http2ServerResponse;

/**
 * What the carrier knows of a request's way here; `clientChain` is what the client showed of itself in TLS, where that
 * ends in this process, the same array for each request of a connection.
 */
export type Arrival = {
  carrier: string;
  visitor: string;
  hostnames: readonly string[];
  clientChain?: readonly X509Certificate[] | undefined;
};

/** Never throws; every fault becomes an answer. */
export type Serve = (request: HttpRequest, response: HttpResponse, arrival: Arrival) => void;

/** What is about to be dialled; throws `DESTINATION_DENIED` when the policy has no entry for it. */
export type Dialled = { carrier: string; host?: string; pin?: string } | { service: string; host: string };
export type MayDial = (dialled: Dialled) => void;

export type CarrierState =
  | { kind: 'connecting'; attempt: number }
  | { kind: 'connected'; sinceMs: number }
  | { kind: 'waiting'; retryAtMs: number; attempt: number; error: ErrorInfo }
  | { kind: 'failed'; error: ErrorInfo };

/** A way in that is up, or coming back up by itself. */
export interface OpenCarrier {
  readonly hostname: string;
  readonly url: string;
  readonly loopbackUrl?: string;
  /** PEM file of a CA that a client must trust; absent where another CA signed than the local one. */
  readonly caFile?: string | undefined;
  /** What agents see, where TLS ends in this process. */
  readonly certificate?: CertificateInfo;
  /** Loopback port to keep with the tunnel. */
  readonly port?: number;
  readonly state: CarrierState;
  onState(listener: (state: CarrierState) => void): () => void;
  /** Where several connections carry the tunnel: how many are up, of how many. */
  readonly links?: { up: number; wanted: number };
  onLinks?(listener: () => void): () => void;
  onCertificate?(listener: () => void): () => void;
  /** What somebody should look after while it works still. */
  readonly warning?: string | undefined;
  onWarning?(listener: () => void): () => void;
  /** Who may come in from now on, for carriers that can tell. Throws a refusal of the edge's; then all is as it was. */
  letIn?(admission: Admission | undefined): Promise<void>;
  close(): Promise<void>;
}

export type CarrierOptions = {
  /** First label of the hostname. */
  label: string;
  /** The tunnel's id that survives a crash. */
  instance: string;
  /** Port used last time. */
  port?: number;
  /** Whether `port` was asked for by a person: then another one is no substitute. */
  portIsFixed: boolean;
  /** Who may come in at all, by address; absent lets everybody. */
  admission?: Admission | undefined;
  serve: Serve;
  /** PEM of the authorities whose certificates let agents in now; for carriers whose TLS ends in this process. */
  clientAuthorities?: () => readonly string[];
  mayDial: MayDial;
  log: (message: string) => void;
};

export interface Carrier {
  readonly kind: string;
  readonly privacy: Privacy;
  /** Resolves when agents can reach it; rejects with nothing left open. */
  open(options: CarrierOptions, signal: AbortSignal): Promise<OpenCarrier>;
}
