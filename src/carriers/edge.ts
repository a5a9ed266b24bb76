// The carrier over an edge that somebody hosts: agents anywhere reach the hostname, and the edge reads names only.
import type { Authority } from '../certs/authority.ts';
import type { Clock, Random } from '../core/clock.ts';
import { formatHostPort, type HostPort } from '../core/hostname.ts';
import type { DialOptions } from '../tunnel/dialEdge.ts';
import type { EdgeIdentity } from '../tunnel/edgeIdentity.ts';
import type { IdentityRenewalOptions } from '../tunnel/identityRenewal.ts';
import type { Carrier, MayDial } from './carrier.ts';
import type { InnerCertificate } from './innerCertificate.ts';
import { LocalCertificate } from './localCertificate.ts';
import type { Outbound } from './outbound.ts';
import { RelayedTunnel, type Renewal } from './relayedTunnel.ts';

/** Four: the cut of one touches a quarter of the agents, and a lossy line holds up a quarter of the calls. */
export const linksPerTunnel = 4;

export type MakeCertificate = (tunnel: {
  hostname: string;
  local: InnerCertificate;
  log: (message: string) => void;
}) => Promise<InnerCertificate>;

export type EdgeCarrierOptions = {
  /** `loadEdgeIdentity` for the edge in question. */
  identity: () => Promise<EdgeIdentity>;
  /** The local CA, and the file that holds its certificate. */
  authority: Authority;
  caFile: string;
  /** What agents see in place of the local CA's certificate, which it may fall back to. */
  certificate?: MakeCertificate;
  /** Keeps the machine's certificate for the edge young over the tunnel's links. */
  renewal?: (over: Pick<IdentityRenewalOptions, 'ask' | 'log'>) => Renewal;
  /** Links to hold; `linksPerTunnel` where absent. */
  links?: number;
  outbound?: Outbound;
  clock: Clock;
  random: Random;
};

export function edgeCarrier(edge: EdgeCarrierOptions): Carrier {
  const { identity, authority, caFile, links = linksPerTunnel, outbound, clock, random } = edge;
  return {
    kind: 'edge',
    privacy: 'end-to-end',
    async open(options, signal) {
      const { domain, port } = await identity();
      const hostname = `${options.label}.${domain}`;
      const local = await LocalCertificate.create({ authority, names: [hostname], clock });
      const tunnel = new RelayedTunnel({
        kind: 'edge',
        open: options,
        certificate: (await edge.certificate?.({ hostname, local, log: options.log })) ?? local,
        identity,
        mayDial: edgeDialCheck(options.mayDial),
        hostnames: [hostname],
        links,
        ...(outbound ? { outbound } : {}),
        clock,
        random,
      });
      await tunnel.start(signal);
      const { log } = options;
      if (edge.renewal) tunnel.renewBy(edge.renewal({ ask: tunnel.renewCertificate, log }));
      return tunnel.shownAs({ hostname, url: `https://${hostname}${port === 443 ? '' : `:${port}`}/mcp`, caFile });
    },
  };
}

/**
 * The identity of this dial: the machine may have been enrolled anew since the last one. Where it holds an address to
 * connect to, or the edge has named another node, that must be allowed as well as the name; names below the edge's own
 * are its owner's, as `connect.<domain>` is, and need no entry of their own while the port is allowed.
 */
export function edgeDialCheck(mayDial: MayDial): DialOptions['mayDial'] {
  return ({ domain, address, port, pin }, node) => {
    const ask = (at: HostPort): void =>
      mayDial({ carrier: 'edge', host: formatHostPort(at), ...(pin === undefined ? {} : { pin }) });
    ask({ host: domain, port });
    if (!node) return address === undefined ? undefined : ask({ host: address, port });
    const isBelow = node.host === domain || node.host.endsWith(`.${domain}`);
    if (!isBelow) ask(node);
    else if (node.port !== port) ask({ host: domain, port: node.port });
  };
}
