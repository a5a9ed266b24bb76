// What a running edge offers the other commands of its user (`edge token`, `edge routes`, `edge status`, `edge revoke`)
// over its Unix socket or named pipe.

export type EdgeRoute = {
  hostname: string;
  /** The connector that owns the name. */
  connector: string;
  claimedMs: number;
  usedMs: number;
  /** Present while a connector serves it; with how much where the asked edge itself does. */
  live?: { instance: string; sinceMs: number; links?: number; visitors?: number };
};

export type EdgeConnector = {
  id: string;
  /** Globs of the names it may use; absent means any. */
  labels?: string[];
  enrolledMs: number;
  expiresMs: number;
  revokedMs?: number;
};

/** How a running edge is. */
export type EdgeStatus = {
  version: string;
  pid: number;
  sinceMs: number;
  /** What `/readyz` says. */
  ready: boolean;
  draining: boolean;
  links: number;
  connectors: number;
  routes: number;
  visitors: number;
  /** The settings on the disk could not be taken, the last time they were read. */
  reloadFailed: boolean;
};

export type EdgeAdmin = {
  requests: {
    'edge/info': { params: object; result: { domain: string; port: number; pin: string } };
    'edge/status': { params: object; result: EdgeStatus };
    'edge/token': { params: { labels?: string[]; expiresMs: number }; result: { token: string; expiresMs: number } };
    'edge/routes': { params: object; result: { routes: EdgeRoute[]; connectors: EdgeConnector[] } };
    'edge/revoke': { params: { connector: string }; result: null };
  };
  notifications: Record<string, never>;
};

/** The other commands offer nothing. */
export type EdgeAdminClient = { requests: Record<string, never>; notifications: Record<string, never> };
