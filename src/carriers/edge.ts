// The carrier over an edge that somebody hosts: agents anywhere reach the hostname, and the edge reads names only.
import type { Authority } from '../certs/authority.ts';
import type { Clock, Random } from '../core/clock.ts';
import { formatHostPort } from '../core/hostname.ts';
import type { EdgeIdentity } from '../tunnel/edgeIdentity.ts';
import type { Carrier } from './carrier.ts';
import { LocalCertificate } from './localCertificate.ts';
import { RelayedTunnel } from './relayedTunnel.ts';

export type EdgeCarrierOptions = {
  /** `loadEdgeIdentity` for the edge in question. */
  identity: () => Promise<EdgeIdentity>;
  /** The local CA, and the file that holds its certificate. */
  authority: Authority;
  caFile: string;
  clock: Clock;
  random: Random;
};

export function edgeCarrier({ identity, authority, caFile, clock, random }: EdgeCarrierOptions): Carrier {
  return {
    kind: 'edge',
    privacy: 'end-to-end',
    async open(options, signal) {
      const { domain, port } = await identity();
      const hostname = `${options.label}.${domain}`;
      const tunnel = new RelayedTunnel({
        kind: 'edge',
        open: options,
        certificate: await LocalCertificate.create({ authority, names: [hostname], clock }),
        identity,
        // The identity of this dial: the machine may have been enrolled anew since the last one. Where it holds an
        // address to connect to, that must be allowed as well as the name.
        mayDial: ({ domain: name, address, port: at, pin }) => {
          for (const host of address === undefined ? [name] : [name, address]) {
            const place = formatHostPort({ host, port: at });
            options.mayDial({ carrier: 'edge', host: place, ...(pin === undefined ? {} : { pin }) });
          }
        },
        hostnames: [hostname],
        clock,
        random,
      });
      await tunnel.start(signal);
      return tunnel.shownAs({ hostname, url: `https://${hostname}${port === 443 ? '' : `:${port}`}/mcp`, caFile });
    },
  };
}
