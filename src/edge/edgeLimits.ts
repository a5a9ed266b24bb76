// Every number that protects an edge from those who reach its port, in one place. At each of them the newcomer is
// turned away and counted; what is served already goes on.

export type EdgeLimits = {
  /** Connections of one address (IPv6: of one /64) at a time. */
  maxConnectionsPerAddress: number;
  /** Connections at a time, connectors' included. */
  maxConnections: number;
  /** How long a connection may take to say whom it wants. */
  helloMs: number;
  /** How long a TLS handshake at one of the edge's own doors may take. */
  handshakeMs: number;
  /** New visitors of one route a second, on average, and at once after a rest. */
  visitorsPerSecond: number;
  visitorBurst: number;
  /** Live links of one connector. */
  maxSessionsPerConnector: number;
  /** Names served through one link, and links that serve one name. */
  maxRoutesPerSession: number;
  maxLinksPerRoute: number;
  /** Answer bytes that wait for visitors who do not read: of one link, and of all. The largest waiter is cut off. */
  maxHeldBytesPerSession: number;
  maxHeldBytes: number;
};

const mebibyte = 1 << 20;

export const defaultEdgeLimits: EdgeLimits = {
  maxConnectionsPerAddress: 1024,
  maxConnections: 16_384,
  helloMs: 5000,
  handshakeMs: 10_000,
  visitorsPerSecond: 200,
  visitorBurst: 1000,
  maxSessionsPerConnector: 64,
  maxRoutesPerSession: 16,
  maxLinksPerRoute: 8,
  maxHeldBytesPerSession: 64 * mebibyte,
  maxHeldBytes: 256 * mebibyte,
};
