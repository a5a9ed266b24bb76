// What an edge turned away in silence is at least counted.

export type EdgeCounters = {
  /** Connections accepted by the system. */
  connections: number;
  /** Visitors handed to a connector. */
  visitors: number;
  /** Closed: over a cap of connections, per address or in total. */
  overConnectionCap: number;
  /** Closed: no TLS ClientHello, or a broken one. */
  notTls: number;
  /** Closed: the ClientHello was not there in time, or the peer left before it was. */
  noHello: number;
  /** Closed: nobody serves the name, or there was none. */
  noRoute: number;
  /** Closed: too many new visitors of one route, or of one link. */
  overVisitorRate: number;
  /** Cut off: did not read while others needed the memory. */
  overHeldBytes: number;
  /** Turned away at the connectors' door. */
  connectorsRefused: number;
};

export function makeEdgeCounters(): EdgeCounters {
  return {
    connections: 0,
    visitors: 0,
    overConnectionCap: 0,
    notTls: 0,
    noHello: 0,
    noRoute: 0,
    overVisitorRate: 0,
    overHeldBytes: 0,
    connectorsRefused: 0,
  };
}
