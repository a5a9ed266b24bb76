// The carrier for this machine only: an edge of its own in this process, on one loopback port, with a real connector
// dialling it over mutual TLS. So a developer's own agent takes the same way as a remote one.
import type { Authority } from '../certs/authority.ts';
import type { Clock, Random } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import { defaultEdgeLimits, type EdgeLimits } from '../edge/edgeLimits.ts';
import { silentEdgeLog } from '../edge/edgeLog.ts';
import { Edge, type EdgeOptions } from '../edge/edge.ts';
import type { Carrier, CarrierOptions } from './carrier.ts';
import { makeEmbeddedAuthority } from './embeddedAuthority.ts';
import { LocalCertificate } from './localCertificate.ts';
import { RelayedTunnel } from './relayedTunnel.ts';

/** Names below `localhost` are this machine (RFC 6761 §6.3). */
export const embeddedDomain = 'tunnel.localhost';

const loopbackNames = ['localhost', '127.0.0.1', '::1'] as const;

/** All visitors have one address, and they are this machine's own. */
const limits: Partial<EdgeLimits> = {
  maxConnectionsPerAddress: defaultEdgeLimits.maxConnections,
  visitorsPerSecond: 2000,
  visitorBurst: 4000,
};

export type EmbeddedCarrierOptions = {
  /** The local CA, and the file that holds its certificate. */
  authority: Authority;
  caFile: string;
  clock: Clock;
  random: Random;
};

export function embeddedCarrier({ authority, caFile, clock, random }: EmbeddedCarrierOptions): Carrier {
  return {
    kind: 'embedded',
    privacy: 'end-to-end',
    async open(options, signal) {
      const { label } = options;
      const mayDial = (): void => options.mayDial({ carrier: 'embedded' });
      mayDial();

      const hostname = `${label}.${embeddedDomain}`;
      const hostnames = [hostname, ...loopbackNames];
      const [own, certificate] = await Promise.all([
        makeEmbeddedAuthority({ domain: embeddedDomain, label, clock }),
        LocalCertificate.create({ authority, names: hostnames, clock }),
      ]);
      const edge = await startEdge(options, {
        state: own.state,
        domain: embeddedDomain,
        anySni: hostname,
        limits,
        clock,
        log: silentEdgeLog, // Its routes and visitors are this tunnel's own; what matters of them the connector tells.
      });
      const { port } = edge;
      const { client, ca, pin } = own;
      const identity = { domain: embeddedDomain, port, address: '127.0.0.1', ...client, ca, pin };
      const tunnel = new RelayedTunnel({
        kind: 'embedded',
        open: options,
        certificate,
        mayDial,
        hostnames,
        links: 1, // Both ends are this process: what cuts one link cuts all.
        clock,
        random,
        identity: async () => identity,
      });
      try {
        await tunnel.start(signal);
      } catch (error) {
        await edge.close();
        throw error;
      }
      const url = `https://${hostname}:${port}/mcp`;
      return tunnel.shownAs({ hostname, url, loopbackUrl: `https://127.0.0.1:${port}/mcp`, caFile, port }, edge);
    },
  };
}

/** On the port used last time where that is free: agents keep the URL. */
async function startEdge(
  { port: wanted, portIsFixed, log }: CarrierOptions,
  options: Omit<EdgeOptions, 'listen'>,
): Promise<Edge> {
  const start = (port: number): Promise<Edge> =>
    Edge.start({ ...options, listen: { host: '127.0.0.1', port }, alsoListen: ['::1'] });
  if (wanted === undefined) return start(0);
  try {
    return await start(wanted);
  } catch (error) {
    if (portIsFixed || !(error instanceof TunnelError && error.code === 'PORT_IN_USE')) throw error;
    log(`port ${wanted} is in use by another program: this tunnel takes a free one`);
    return start(0);
  }
}
