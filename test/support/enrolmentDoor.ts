// An edge's enrolment door by itself: HTTPS on loopback with the certificate that a test wants it to show.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export type Door = { port: number; connections: () => number; requests: () => number };

/** Plain HTTP where `shown` is absent. */
export async function openEnrolmentDoor(
  handler: RequestListener,
  shown?: { keyPem: string; certificatePem: string },
): Promise<Door> {
  let connections = 0;
  let requests = 0;
  const counted: RequestListener = (request, response) => {
    requests += 1;
    handler(request, response);
  };
  const server = shown
    ? createTlsServer({ key: shown.keyPem, cert: shown.certificatePem, minVersion: 'TLSv1.3' }, counted)
    : createServer(counted);
  server.on('connection', () => (connections += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return { port: (server.address() as AddressInfo).port, connections: () => connections, requests: () => requests };
}
