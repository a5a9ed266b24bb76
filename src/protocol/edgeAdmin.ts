// What a running edge offers the other commands of its user (`edge token`, `edge routes`, `edge transfer` …) over its
// Unix socket or named pipe.

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

/** One that nobody has spent; its text is nowhere. */
export type EdgeToken = { id: string; labels?: string[]; connector?: string; expiresMs: number };

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
    /** With `connector`, for that machine again, whose names it keeps. */
    'edge/token': {
      params: { labels?: string[]; connector?: string; expiresMs: number };
      result: { token: string; id: string; expiresMs: number };
    };
    'edge/tokens': { params: object; result: { tokens: EdgeToken[] } };
    'edge/routes': { params: object; result: { routes: EdgeRoute[]; connectors: EdgeConnector[] } };
    /** A connector, or a token that nobody has spent. */
    'edge/revoke': { params: { id: string }; result: null };
    /** The label is the connector's from now on, whosever it was. */
    'edge/transfer': { params: { label: string; connector: string }; result: null };
    'edge/release': { params: { label: string }; result: null };
  };
  notifications: Record<string, never>;
};

/** The other commands offer nothing. */
export type EdgeAdminClient = { requests: Record<string, never>; notifications: Record<string, never> };
