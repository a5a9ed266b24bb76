// Every number that protects an edge from those who reach its port, in one place. At each of them the newcomer is
// turned away and counted, and what is served already goes on; where another one has to make room, the line says so.

import { maxClientHelloBytes } from './clientHello.ts';

export type EdgeLimits = {
  /** Connections at a time, connectors' included. */
  maxConnections: number;
  /** Connections that have not said yet whom they want; of more, the one that has been silent for longest is closed. */
  maxHalfOpen: number;
  /** How long a connection may take to say whom it wants, from its first moment, however it drips. */
  helloMs: number;
  /** Bytes of a ClientHello with its record headers, and of a load balancer's PROXY header. */
  maxHelloBytes: number;
  maxProxyHeaderBytes: number;
  /** How long a TLS handshake at one of the edge's own doors may take. */
  handshakeMs: number;
  /** Connections at these doors that have not proved who they are; of more, the one that came first is closed. */
  maxAtDoors: number;
  /** Connections of one address (IPv6: of one /64) at a time. */
  maxConnectionsPerAddress: number;
  /** New connections of one address a second, on average, and at once after a rest. */
  handshakesPerSecondPerAddress: number;
  handshakeBurstPerAddress: number;
  /** New visitors of one route a second, on average, and at once after a rest. */
  visitorsPerSecond: number;
  visitorBurst: number;
  /** Looks of a certificate authority a second past the addresses that a route lets in, and at once after a rest. */
  challengesPerSecond: number;
  challengeBurst: number;
  /** Visitors at a time: of one route, and of all routes of one connector. */
  maxVisitorsPerRoute: number;
  maxVisitorsPerConnector: number;
  /** How long a visitor may be silent in both directions; a silent event stream gets a comment every 15 s on its way. */
  idleMs: number;
  /** How long one visitor's connection lasts at most. */
  lifetimeMs: number;
  /** Live links of one connector. */
  maxSessionsPerConnector: number;
  /** Claims of names, and requests for certificates, by one connector a second, on average, and at once after a rest. */
  claimsPerSecondPerConnector: number;
  claimBurstPerConnector: number;
  /** Names served through one link, and links that serve one name. */
  maxRoutesPerSession: number;
  maxLinksPerRoute: number;
  /**
   * Bytes that wait for visitors who do not read, or for connectors that do not: of one connector, and of all. The largest waiter is cut off;
   * of all together, that of the connector for which most waits.
   */
  maxHeldBytesPerConnector: number;
  maxHeldBytes: number;
};

const mebibyte = 1 << 20;
const minute = 60_000;

export const defaultEdgeLimits: EdgeLimits = {
  maxConnections: 16_384,
  maxHalfOpen: 4096,
  helloMs: 5000,
  maxHelloBytes: maxClientHelloBytes,
  maxProxyHeaderBytes: 4096,
  handshakeMs: 10_000,
  maxAtDoors: 2048,
  maxConnectionsPerAddress: 1024,
  handshakesPerSecondPerAddress: 200,
  handshakeBurstPerAddress: 2000,
  visitorsPerSecond: 200,
  visitorBurst: 1000,
  challengesPerSecond: 1,
  challengeBurst: 20,
  maxVisitorsPerRoute: 4096,
  maxVisitorsPerConnector: 8192,
  idleMs: 15 * minute,
  lifetimeMs: 24 * 60 * minute,
  maxSessionsPerConnector: 64,
  claimsPerSecondPerConnector: 20,
  claimBurstPerConnector: 1024,
  maxRoutesPerSession: 16,
  maxLinksPerRoute: 8,
  maxHeldBytesPerConnector: 64 * mebibyte,
  maxHeldBytes: 256 * mebibyte,
};
