// What an embedded edge has in place of files: a CA that lives as long as the tunnel, and one connector, whose key
// nobody else has. So nobody who can merely connect to the port can claim the name or enrol.
import { X509Certificate } from 'node:crypto';
import { Authority } from '../certs/authority.ts';
import { connectorUri } from '../certs/connectorId.ts';
import { makeKeyPair } from '../certs/keyPair.ts';
import { pinOf } from '../certs/pin.ts';
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import type { EdgeAuthority } from '../edge/edgeAuthority.ts';
import { doorLabels } from '../protocol/edge.ts';

/** The one connector of an embedded edge. */
const connector = 'embedded0';

/** Longer than any process lives: these certificates end with it. */
const days = 3650;

export type EmbeddedAuthority = {
  state: EdgeAuthority;
  /** The one connector's. PEM both. */
  client: { key: string; certificate: string };
  ca: string;
  /** Of the key that the edge's doors show. */
  pin: string;
};

export async function makeEmbeddedAuthority(options: {
  domain: string;
  label: string;
  clock: Clock;
}): Promise<EmbeddedAuthority> {
  const { domain, label, clock } = options;
  const files = noFiles();
  const commonName = 'MCP Tunnel embedded edge';
  const [authority, serverKey, clientKey] = await Promise.all([
    Authority.loadOrCreate({ files, folder: '', commonName, clock }),
    makeKeyPair(),
    makeKeyPair(),
  ]);
  const names = [`${doorLabels.connect}.${domain}`];
  const certificatePem = authority.issueServer({ names, publicKey: serverKey.publicKey, days });
  const certificate = authority.issueClient({ uri: connectorUri(connector), publicKey: clientKey.publicKey, days });
  return {
    state: {
      authority,
      serverIdentity: () => ({ keyPem: serverKey.privateKeyPem, certificatePem }),
      isRevoked: (id) => id !== connector,
      onRevoked: () => () => {},
      certifiedUntilMs: () => Infinity,
      noteRenewal: async () => ({ expiresMs: clock.now() + days * 86_400_000 }),
      ownerOf: (wanted) => (wanted === label ? connector : undefined),
      onMoved: () => () => {},
      async claimLabel(wanted, id) {
        if (id === connector && wanted === label) return;
        throw new TunnelError('ROUTE_DENIED', `this edge serves ${label}.${domain} only`);
      },
      async touchLabels() {},
      watch: () => ({ close() {} }),
    },
    client: { key: clientKey.privateKeyPem, certificate },
    ca: authority.certificatePem,
    pin: pinOf(new X509Certificate(certificatePem)),
  };
}

/** An authority keeps itself in a file; this one is forgotten. */
function noFiles(): PrivateFiles {
  return {
    read: async () => undefined,
    write: async () => {},
    update: async (_path, change) => change(undefined),
  };
}
