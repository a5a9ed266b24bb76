// By what this node and the others know each other: a certificate that it makes for itself with the CA they share, for
// as long as it runs. Its key is in no file, and nothing of it is in the registry.
import { X509Certificate } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import type { Authority } from '../../certs/authority.ts';
import { makeKeyPair, type KeyPair } from '../../certs/keyPair.ts';
import { nodeIdOf, nodeUri } from '../../certs/nodeId.ts';
import type { Clock } from '../../core/clock.ts';
import { TunnelError } from '../../core/errors.ts';
import type { HostPort } from '../../core/hostname.ts';
import { alpnsOf, framingOf, knownFramings } from '../../wire/framings.ts';

/** Made again at two thirds. */
export const nodeDays = 30;
/** How long another node may take to answer a dial. */
export const dialMs = 3_000;

/** No tunnel can have this name: labels do not begin with `_`. */
export const nodeDoorOf = (domain: string): string => `_node.${domain}`;

export type NodeTls = { key: string; cert: string; ca: string };

export class NodeIdentity {
  readonly id: string;
  readonly #authority: Authority;
  readonly #key: KeyPair;
  readonly #clock: Clock;
  #current: NodeTls | undefined;
  #renewAtMs = 0;

  static async make(options: { id: string; authority: Authority; clock: Clock }): Promise<NodeIdentity> {
    return new NodeIdentity(options, await makeKeyPair());
  }

  private constructor({ id, authority, clock }: { id: string; authority: Authority; clock: Clock }, key: KeyPair) {
    this.id = id;
    this.#authority = authority;
    this.#clock = clock;
    this.#key = key;
  }

  /** PEM all; the same object until it is renewed. */
  current(): NodeTls {
    const now = this.#clock.now();
    if (this.#current && now < this.#renewAtMs) return this.#current;
    const { publicKey, privateKeyPem } = this.#key;
    const cert = this.#authority.issueNode({ uri: nodeUri(this.id), publicKey, days: nodeDays });
    this.#renewAtMs = now + ((Date.parse(new X509Certificate(cert).validTo) - now) * 2) / 3;
    this.#current = { key: privateKeyPem, cert, ca: this.#authority.certificatePem };
    return this.#current;
  }
}

/** Mutual TLS 1.3 to the node `id`, and nobody else. Throws `EDGE_UNREACHABLE`, `EDGE_IDENTITY`. */
export function dialNode(
  { host, port }: HostPort,
  { id, door, identity, clock }: { id: string; door: string; identity: NodeIdentity; clock: Clock },
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      servername: door,
      ALPNProtocols: alpnsOf(knownFramings),
      minVersion: 'TLSv1.3',
      ...identity.current(),
      rejectUnauthorized: true, // Whatever the environment says.
      // Nodes have no DNS names of their own: the one that answers is told by the id below.
      checkServerIdentity: () => undefined,
    });
    const fail = (code: 'EDGE_UNREACHABLE' | 'EDGE_IDENTITY', why: string, cause?: unknown): void => {
      late.cancel();
      socket.destroy();
      reject(new TunnelError(code, `node ${id} ${why}`, { cause }));
    };
    const late = clock.after(dialMs, () => fail('EDGE_UNREACHABLE', 'did not answer in time'));
    socket.on('error', (error) => fail('EDGE_UNREACHABLE', `cannot be reached (${error.message})`, error));
    socket.once('close', () => fail('EDGE_UNREACHABLE', 'closed the connection'));
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate();
      if (!certificate || nodeIdOf(certificate) !== id) return fail('EDGE_IDENTITY', 'is somebody else');
      if (framingOf(socket) === undefined) return fail('EDGE_IDENTITY', 'speaks another version');
      late.cancel();
      resolve(socket);
    });
  });
}
