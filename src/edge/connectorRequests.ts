// What a connector may ask over its link: to serve a name, to serve it no longer, and its next certificate.
import type { Clock } from '../core/clock.ts';
import { errorInfo, TunnelError, type ErrorCode } from '../core/errors.ts';
import { renewCertificate } from './certificates.ts';
import type { ClaimRates } from './claimRates.ts';
import type { ConnectorIssuer } from './edgeAuthority.ts';
import type { EdgeLog } from './edgeLog.ts';
import type { Link } from './links.ts';
import type { Route, RouteRegistry } from './routeRegistry.ts';

export type ConnectorRequestsOptions = {
  state: ConnectorIssuer;
  registry: RouteRegistry;
  rates: ClaimRates;
  /** A route is served, perhaps on other terms than before. */
  onServed: (route: Route) => void;
  /** Where the edge can be dialled. */
  port: () => number;
  /** Where else, `host:port` each. */
  nodes: () => string[];
  clock: Clock;
  log: EdgeLog;
};

/** What a connector is told as it is; everything else is a fault of the edge. */
const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ROUTE_BUSY',
  'ROUTE_DENIED',
  'CERTIFICATE_INVALID',
  'LIMIT',
  'USAGE',
  'CLOSED',
]);

export function answerConnector(link: Link, options: ConnectorRequestsOptions): void {
  const { state, registry, rates, onServed, port, nodes, clock, log } = options;
  const { connector, session } = link;
  session.control.handle('route/claim', async (wanted) => {
    const route = await sharing(log, 'note the name', async () => {
      rates.demand(connector);
      return registry.claim(link, wanted);
    });
    const { hostname } = route;
    onServed(route);
    log.info('route-served', `${hostname} is served by connector ${connector}`, { hostname, connector });
    const others = nodes();
    return { hostname, port: port(), ...(others.length > 0 ? { nodes: others } : {}) };
  });
  session.control.handle('ping', () => null);
  session.control.handle('route/release', (wanted) => {
    registry.release(link, wanted);
    return null;
  });
  session.control.handle('certificate/renew', async (wanted) => {
    const renewed = await sharing(log, 'make the certificate', async () => {
      rates.demand(connector); // To look at a request costs more than to refuse it.
      return renewCertificate(state, connector, wanted?.csr, clock);
    });
    log.info('certificate-renewed', `connector ${connector} has a new certificate`, { connector });
    return renewed;
  });
}

/** A refusal as it is; of a fault of the edge's own, which may name its files, the connector hears only that. */
async function sharing<T>(log: EdgeLog, what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof TunnelError && refusals.has(error.code)) throw error;
    log.error('request-failed', `the edge could not ${what}: ${errorInfo(error).message}`);
    // The connector learns so much, and not where the registry is.
    if (error instanceof TunnelError && error.code === 'TIMEOUT') {
      throw new TunnelError('TIMEOUT', 'the registry of this edge cannot be reached: try again later', {
        cause: error,
      });
    }
    throw new TunnelError('INTERNAL', `the edge could not ${what}: its log says why`, {
      cause: error,
      retryable: true,
    });
  }
}
