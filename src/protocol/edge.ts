// What connector and edge say to each other. The connector dials `connect.<domain>` with mutual TLS 1.3 and ALPN
// `mcp-tunnel/1`; on that socket HTTP/2 runs with reversed roles (the edge is the client). The edge opens one control
// stream (`POST /control`, lines of JSON-RPC both ways, a Peer on each end) and one CONNECT stream per visitor.
import type { ErrorInfo } from '../core/errors.ts';

/** ALPN of the connector's door: framing and version are chosen by it. */
export const connectorAlpn = 'mcp-tunnel/1';

/** First labels under an edge's domain that are the edge's own. */
export const doorLabels = { connect: 'connect', enroll: 'enroll' } as const;

/** Request header of a CONNECT stream: the visitor's address as `ip:port`. `:authority` is the route's hostname. */
export const visitorHeader = 'mcp-tunnel-visitor';

/** Path of the control stream. */
export const controlPath = '/control';

/** What the connector asks of the edge over the control stream. */
export type EdgeControl = {
  requests: {
    /**
     * Claims `<label>.<domain>` for this connector. `instance` is the tunnel's own id, which survives a crash:
     * the same instance replaces its dead session; another live one gets `ROUTE_BUSY`, another owner `ROUTE_DENIED`.
     */
    'route/claim': { params: { label: string; instance: string }; result: { hostname: string; port: number } };
    'route/release': { params: { label: string; instance: string }; result: null };
  };
  notifications: Record<string, never>;
};

/** What the edge tells the connector. */
export type ConnectorControl = {
  requests: Record<string, never>;
  notifications: {
    /** The edge is about to stop: open new links elsewhere, let visitors finish. */
    drain: { reason: string };
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
