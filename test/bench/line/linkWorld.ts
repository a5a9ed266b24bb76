// An edge, connectors across the line with as many links as asked for, and the same server behind each and in the open.
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { createSecureContext } from 'node:tls';
import { certificateTools } from '../../../src/certs/certificateTools.ts';
import { connectorUri } from '../../../src/certs/connectorId.ts';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { systemClock as clock } from '../../../src/core/clock.ts';
import { Lifetime } from '../../../src/core/lifetime.ts';
import { Edge } from '../../../src/edge/edge.ts';
import { EdgeState } from '../../../src/edge/edgeState.ts';
import type { Framing } from '../../../src/protocol/edge.ts';
import { Connector } from '../../../src/tunnel/connector.ts';
import { dialEdge } from '../../../src/tunnel/dialEdge.ts';
import { InnerTls } from '../../../src/tunnel/innerTls.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';
import { recordingLog } from '../../support/edgeLogs.ts';
import { until } from '../../support/until.ts';
import { selfSigned } from '../tunnel/selfSigned.ts';

export type Links = { framing: Framing; links: number };

const firstPort = 2443;
const small = Buffer.alloc(300, 'x');
const block = Buffer.alloc(64 * 1024, 'y');

export class LinkWorld {
  readonly directPort = firstPort;
  readonly #ports = new Map<string, number>();
  readonly #lifetime = new Lifetime();
  readonly #address: string;

  private constructor(address: string) {
    this.#address = address;
  }

  /** `address`: where the connectors find their edges. */
  static async open(ways: Record<string, Links>, address: string): Promise<LinkWorld> {
    const world = new LinkWorld(address);
    const { keyPem: key, certificatePem: cert } = await selfSigned();
    const server = createServer({ key, cert }, (request, response) => answer(request, response));
    server.listen(firstPort, '0.0.0.0');
    await once(server, 'listening');
    world.#lifetime.defer(() => closed(server));
    let port = firstPort;
    for (const [way, links] of Object.entries(ways)) {
      port += 1;
      world.#ports.set(way, port);
      await world.#tunnel(port, links, createSecureContext({ key, cert }));
    }
    return world;
  }

  edgePort(way: string): number {
    return this.#ports.get(way)!;
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  async #tunnel(
    port: number,
    { framing, links }: Links,
    context: ReturnType<typeof createSecureContext>,
  ): Promise<void> {
    const domain = 'bench.localhost';
    const state = await EdgeState.load({ files: new MemoryFiles(), folder: '/edge', domain, clock });
    const log = recordingLog([]);
    const edge = this.#lifetime.add(
      await Edge.start({ state, domain, listen: { host: '0.0.0.0', port }, clock, log, framings: [framing] }),
    );
    const key = await makeKeyPair();
    const { connector: id } = await state.spendToken((await state.mintToken()).token);
    const certificate = state.authority.issueClient({
      uri: connectorUri(id),
      publicKey: key.publicKey,
      days: 2,
    });
    const identity = { domain, port, address: this.#address, key: key.privateKeyPem, certificate };
    const ca = state.authority.certificatePem;
    const inner = this.#lifetime.add(new InnerTls({ context: () => context, onRequest: answer, clock }));
    const connector = this.#lifetime.add(
      new Connector({
        label: 'x',
        instance: 'x',
        wanted: links,
        clock,
        random: () => 0.01,
        log: () => {},
        dial: (signal) =>
          dialEdge({ identity: { ...identity, ca }, mayDial: () => {}, certs: certificateTools, clock }, signal),
        onStream: (stream, { visitor }) => inner.accept(stream, visitor),
      }),
    );
    await connector.start(new AbortController().signal);
    await until(() => edge.routes()[0]?.links === links, 60_000);
  }
}

function answer(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void {
  const out = response as ServerResponse;
  const bytes = Number(new URL(request.url ?? '/', 'https://x').searchParams.get('bytes') ?? 0);
  if (bytes === 0) return void out.end(small);
  let left = bytes;
  const send = (): void => {
    while (left > 0 && !out.destroyed) {
      left -= block.length;
      if (!out.write(block)) return void out.once('drain', send);
    }
    out.end();
  };
  send();
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
