// From a destination to the carrier that goes there, with the certificate authority that vouches for its hostnames.
// Each domain has an authority of its own which can vouch for nothing else, so that trusting it risks nothing else.
import { join } from 'node:path';
import type { Carrier } from '../carriers/carrier.ts';
import { edgeCarrier } from '../carriers/edge.ts';
import { embeddedCarrier, embeddedDomain } from '../carriers/embedded.ts';
import type { Outbound } from '../carriers/outbound.ts';
import { Authority } from '../certs/authority.ts';
import { certificateTools } from '../certs/certificateTools.ts';
import type { Clock, Random } from '../core/clock.ts';
import type { PrivateFiles } from '../core/files.ts';
import { formatHostPort, parseHostPort } from '../core/hostname.ts';
import type { Destination, WantedCertificate } from '../protocol/control.ts';
import { enrolledEdges, loadEdgeIdentity } from '../tunnel/edgeIdentity.ts';
import { IdentityRenewal } from '../tunnel/identityRenewal.ts';
import type { DialCheck } from './dialCheck.ts';
import type { StatePaths } from './statePaths.ts';
import { makeCertificate } from './tunnelCertificates.ts';

export type CarrierFactoryOptions = {
  files: PrivateFiles;
  paths: StatePaths;
  outbound?: Outbound;
  clock: Clock;
  random: Random;
};

export class CarrierFactory {
  readonly #options: CarrierFactoryOptions;

  constructor(options: CarrierFactoryOptions) {
    this.#options = options;
  }

  /**
   * `asked` is what agents shall see in place of the local CA's certificate, within what `dial` allows. Throws
   * `CERTIFICATE_INVALID` when the authority's file is of no use, `USAGE` for a file that is named and cannot be read.
   */
  async make(
    destination: Destination,
    asked?: { certificate: WantedCertificate | undefined; dial: Pick<DialCheck, 'mayUse'> },
  ): Promise<Carrier> {
    const { files, paths, outbound, clock, random } = this.#options;
    if (destination.carrier === 'embedded') {
      return embeddedCarrier({ ...(await this.#authority(embeddedDomain)), clock, random });
    }
    const { host: domain } = parseHostPort(destination.host, 443);
    const where = { files, folder: paths.edgesFolder, clock, certs: certificateTools };
    const identity = () => loadEdgeIdentity(domain, where);
    await identity(); // A machine that is not enrolled hears so before anything is made for it.
    const certificate = asked && (await makeCertificate(asked, { files, paths, clock, random }));
    const own = certificate === undefined ? {} : { certificate };
    return edgeCarrier({
      ...(await this.#authority(domain)),
      ...own,
      identity,
      ...(outbound ? { outbound } : {}),
      renewal: (over) => new IdentityRenewal({ ...where, domain, random, ...over }),
      clock,
      random,
    });
  }

  /** As `host:port`. */
  async enrolledEdges(): Promise<string[]> {
    const { files, paths } = this.#options;
    return (await enrolledEdges(files, paths.edgesFolder)).map(formatHostPort);
  }

  async #authority(domain: string): Promise<{ authority: Authority; caFile: string }> {
    const { files, paths, clock } = this.#options;
    const folder = join(paths.caFolder, domain);
    const loopback = domain === embeddedDomain;
    const authority = await Authority.loadOrCreate({
      files,
      folder,
      clock,
      commonName: `MCP Tunnel, this machine’s authority for ${domain}`,
      permitted: {
        dns: loopback ? [domain, 'localhost'] : [domain],
        ip: loopback ? ['127.0.0.0/8', '::1/128'] : [],
      },
    });
    // The certificate alone: the file that people hand to clients must not hold the key.
    const caFile = join(folder, 'ca.pem');
    await files.write(caFile, authority.certificatePem);
    return { authority, caFile };
  }
}
