// One link-to-be: the policy's word, then mutual TLS 1.3 at the connectors' door of an edge this machine is enrolled at.
// Nothing is looked up or sent before the policy agreed, and that is asked again at every dial.
import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { HostPort } from '../core/hostname.ts';
import type { Framing } from '../protocol/edge.ts';
import { alpnsOf, framingOf, knownFramings } from '../wire/framings.ts';
import { mayFollow } from './addressScope.ts';
import { openDoor, type CertificateTools, type DoorOptions, type ProxyFor } from './edgeDoor.ts';
import type { EdgeIdentity } from './edgeIdentity.ts';

export type DialOptions = {
  identity: Pick<EdgeIdentity, 'domain' | 'port' | 'address' | 'key' | 'certificate' | 'ca' | 'serverCa' | 'pin'>;
  /** A node that the edge has named, to be dialled in its place: only where, never who, is the edge's to say. */
  node?: HostPort;
  /** Asks the policy about what is dialled now; throws `DESTINATION_DENIED`. */
  mayDial: (identity: DialOptions['identity'], node: HostPort | undefined) => void;
  /** Where the edge itself was last found, which says what kind of address a node may have. */
  edgeAddress?: string;
  proxyFor?: ProxyFor;
  authorities?: DoorOptions['authorities'];
  certs: CertificateTools;
  clock: Clock;
  /** How the link may be framed; absent means every way. The edge chooses. */
  framings?: readonly Framing[];
};

/** Throws `DESTINATION_DENIED`, `CERTIFICATE_INVALID`, `EDGE_UNREACHABLE`, `EDGE_IDENTITY` or the signal's reason. */
export async function dialEdge(options: DialOptions, signal: AbortSignal): Promise<TLSSocket> {
  const { identity, node, mayDial, edgeAddress, proxyFor, authorities, certs, clock } = options;
  const { framings = knownFramings } = options;
  mayDial(identity, node);
  const { domain, port, key, certificate, ca, serverCa, pin, address } = identity;
  const whose = `this machine's certificate for ${domain}`;
  const problem = certs.validityProblem(new X509Certificate(certificate), clock.now(), whose);
  if (problem) throw problem;

  const socket = await openDoor({
    edge: { host: domain, port },
    door: 'connect',
    alpn: alpnsOf(framings),
    client: { key, certificate },
    // A pin is proof enough; reading every public CA to no end would cost each dial 20 ms.
    ...(pin === undefined ? { trusted: serverCa === undefined ? [ca] : [ca, serverCa] } : { pin }),
    ...(node ? { at: node, mayConnect: (found: string) => mayFollow(found, edgeAddress) } : {}),
    ...(node || address === undefined ? {} : { at: { host: address, port } }),
    ...(proxyFor ? { proxyFor } : {}),
    authorities,
    certs,
    clock,
    signal,
  });
  socket.on('error', () => {}); // 'close' follows, and whoever uses the link looks at that.
  if (framingOf(socket) !== undefined) return socket;
  socket.destroy();
  throw new TunnelError(
    'EDGE_IDENTITY',
    `what answers for ${domain} does not speak ${alpnsOf(framings).join(' or ')}: is it an edge?`,
  );
}
