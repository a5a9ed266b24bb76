// What an edge turned away in silence is at least counted.

export type EdgeCounters = {
  /** Connections accepted by the system. */
  connections: number;
  /** Visitors handed to a connector. */
  visitors: number;
  /** Of these, the ones that came in here for a name that another node serves. */
  handedOn: number;
  /** Closed: over a cap of connections, per address or in total. */
  overConnectionCap: number;
  /** Closed: too many new connections of one address. */
  overAddressRate: number;
  /** Closed: silent for longest while too many had not said whom they want. */
  overHalfOpen: number;
  /** Closed: came first of too many at the edge's own doors who had not proved who they are. */
  overAtDoors: number;
  /** Lost: the system could not accept a connection, for want of files or memory. */
  notAccepted: number;
  /** Closed: no TLS ClientHello, or a broken one. */
  notTls: number;
  /** Closed: the ClientHello was not there in time, or the peer left before it was. */
  noHello: number;
  /** Closed: a load balancer's connection without a PROXY header, or with a broken one. */
  badProxyHeader: number;
  /** A load balancer looked whether somebody is there. */
  balancerChecks: number;
  /** Closed: nobody serves the name, or there was none. */
  noRoute: number;
  /** Closed: the route does not let this address in. */
  notAdmitted: number;
  /** Closed: too many new visitors of one route, or of one link. */
  overVisitorRate: number;
  /** Closed: too many visitors at a time, of one route or of one connector. */
  overVisitorCap: number;
  /** Cut off: nothing came or went for too long. */
  idle: number;
  /** Cut off: the connection was open for as long as one may be. */
  overLifetime: number;
  /** Cut off: did not read while others needed the memory. */
  overHeldBytes: number;
  /** Turned away at the connectors' door. */
  connectorsRefused: number;
  /** Refused: claims and requests for certificates over the rate of their connector. */
  overClaimRate: number;
};

export function makeEdgeCounters(): EdgeCounters {
  return {
    connections: 0,
    visitors: 0,
    handedOn: 0,
    overConnectionCap: 0,
    overAddressRate: 0,
    overHalfOpen: 0,
    overAtDoors: 0,
    notAccepted: 0,
    notTls: 0,
    noHello: 0,
    badProxyHeader: 0,
    balancerChecks: 0,
    noRoute: 0,
    notAdmitted: 0,
    overVisitorRate: 0,
    overVisitorCap: 0,
    idle: 0,
    overLifetime: 0,
    overHeldBytes: 0,
    connectorsRefused: 0,
    overClaimRate: 0,
  };
}
