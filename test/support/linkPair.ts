// Both ends of a link on one TLS connection over loopback.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import { makeKeyPair } from '../../src/certs/keyPair.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { Framing } from '../../src/protocol/edge.ts';
import { alpnsOf, openConnectorLink, openEdgeLink } from '../../src/wire/framings.ts';
import type { ConnectorLink, ConnectorPeer, EdgeLink, StreamHead } from '../../src/wire/link.ts';
import { anAuthority } from './certs.ts';
import { FakeClock } from './fakeClock.ts';

/** `near` is the connector's end, which dialled. */
export async function tlsPair(framing: Framing = 'http2'): Promise<{ near: TLSSocket; far: TLSSocket }> {
  const authority = await anAuthority();
  const key = await makeKeyPair();
  const cert = authority.issueServer({ names: ['localhost'], publicKey: key.publicKey, days: 1 });
  const ALPNProtocols = alpnsOf([framing]);
  const server = createServer({ key: key.privateKeyPem, cert, ALPNProtocols });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const near = connect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: authority.certificatePem,
    ALPNProtocols,
  });
  const [far] = (await once(server, 'secureConnection')) as [TLSSocket];
  server.close();
  for (const socket of [near, far]) socket.on('error', () => {});
  onTestFinished(() => {
    near.destroy();
    far.destroy();
  });
  return { near, far };
}

export type Taken = StreamHead & { stream: Duplex };

export type LinkPair = {
  edge: EdgeLink;
  connector: ConnectorLink;
  control: ConnectorPeer;
  taken: Taken[];
  near: TLSSocket;
  far: TLSSocket;
};

/** A link that stands; nothing has started the connector's end of the control conversation. */
export async function linkPair(
  framing: Framing,
  clock: Clock = new FakeClock(),
  onTaken: (taken: Taken) => void = () => {},
): Promise<LinkPair> {
  const { near, far } = await tlsPair(framing);
  const taken: Taken[] = [];
  const edge = openEdgeLink(far, { clock });
  const connector = openConnectorLink(near, {
    clock,
    onStream: (stream, head) => {
      taken.push({ ...head, stream });
      onTaken({ ...head, stream });
    },
  });
  edge.control.start();
  const control = await connector.control;
  return { edge, connector, control, taken, near, far };
}
