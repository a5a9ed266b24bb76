// What connector and edge say to each other. The connector dials `connect.<domain>` with mutual TLS 1.3; on that socket
// the edge opens one control stream (lines of JSON-RPC both ways, a Peer on each end) and one stream per visitor. ALPN says
// how streams are framed: `mcp-tunnel/2` by `wire/frames/`, `mcp-tunnel/1` by HTTP/2 with reversed roles (the edge is the
// client, control is `POST /control`, visitors are CONNECT).
import type { Admission } from '../core/admission.ts';
import type { ErrorInfo } from '../core/errors.ts';

/**
 * ALPN of the connector's door: it says how the link is framed. `frames` is written down in `wire/frames/frame.ts`,
 * `http2` is HTTP/2 with its roles reversed.
 */
export const connectorAlpn = { frames: 'mcp-tunnel/2', http2: 'mcp-tunnel/1' } as const;

/** How a link can be framed. */
export type Framing = keyof typeof connectorAlpn;

/** First labels under an edge's domain that are the edge's own. */
export const doorLabels = { connect: 'connect', enroll: 'enroll' } as const;

/** Request header of a CONNECT stream: the visitor's address as `ip:port`. `:authority` is the route's hostname. */
export const visitorHeader = 'mcp-tunnel-visitor';

/** Path of the control stream. */
export const controlPath = '/control';

/** A name that this link is to serve, `<label>.<domain>`. */
export type RouteClaim = {
  label: string;
  /** The tunnel's own id, which survives a crash. */
  instance: string;
  /** The process's own id: links of one run share the name, a new run replaces what is left of the one before. */
  run: string;
  /** This link's own id among those of the run; `gone`: links that the machine has lost, the edge may not know it yet. */
  link?: string;
  gone?: string[];
  /** Who may come in at all; absent lets everybody. Links of a run agree, or the newest claim stands. */
  admission?: Admission;
};

export type RouteClaimed = {
  hostname: string;
  port: number;
  /** Where else this edge can be dialled, `host:port` each: nodes that know the same names. */
  nodes?: string[];
};

/** PEM both; `expiresMs` is when the certificate ends. */
export type RenewedCertificate = { certificate: string; ca: string; expiresMs: number };

/** What the connector asks of the edge over the control stream. */
export type EdgeControl = {
  requests: {
    /** Fails with `ROUTE_BUSY` where another live tunnel of this machine holds the name, `ROUTE_DENIED` where another owns it. */
    'route/claim': { params: RouteClaim; result: RouteClaimed };
    'route/release': { params: { label: string; instance: string }; result: null };
    /** Whether the other side still lives, asked on suspicion; any answer is one, a refusal too. */
    ping: { params: null; result: null };
    /** A new certificate for the same connector. Fails with `CERTIFICATE_INVALID`, `LIMIT`. */
    'certificate/renew': { params: { csr: string }; result: RenewedCertificate };
  };
  notifications: Record<string, never>;
};

/** What the edge tells the connector. */
export type ConnectorControl = {
  requests: Record<string, never>;
  notifications: {
    /** The edge is about to stop, and ends this link when its visitors are done or after `withinMs`: open another elsewhere. */
    drain: { reason: string; withinMs: number };
    /** A route was taken away (revoked, replaced); the session may live on. */
    'route/lost': { label: string; error: ErrorInfo };
  };
};

/**
 * Enrolment at `https://enroll.<domain>/enroll`: a one-time token and a certificate request (PKCS #10, RFC 2986, PEM)
 * for a certificate and its chain. Refusals are `{ error: ErrorInfo }` with 4xx.
 */
export const enrolPath = '/enroll';
export type EnrolRequest = { token: string; csr: string };
export type EnrolResponse = { connector: string; certificate: string; ca: string; domain: string; expiresMs: number };
