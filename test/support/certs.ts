// An authority in memory, and a TLS handshake between two ends on loopback as a value.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type ConnectionOptions, type TlsOptions, type TLSSocket } from 'node:tls';
import { Authority, type AuthorityOptions } from '../../src/certs/authority.ts';
import { systemClock } from '../../src/core/clock.ts';
import { MemoryFiles } from './memoryFiles.ts';

export function anAuthority(options: Partial<AuthorityOptions> = {}): Promise<Authority> {
  const files = new MemoryFiles();
  return Authority.loadOrCreate({ files, folder: '/ca', commonName: 'Test CA', clock: systemClock, ...options });
}

export type Handshake = {
  protocol: string | null;
  /** The server accepted the client and a byte went each way. */
  answered: boolean;
  /** What each end thinks of the other; absent when the handshake failed before that. */
  client?: Error;
  server?: Error;
};

/** Both ends open, shake hands, exchange a byte each way and close. */
export async function handshake(server: TlsOptions, client: ConnectionOptions): Promise<Handshake> {
  const result: Handshake = { protocol: null, answered: false };
  const listener = createServer({ minVersion: 'TLSv1.3', ...server });
  listener.on('tlsClientError', (error) => (result.server = error));
  listener.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', (error) => (result.server = error));
    socket.on('data', () => socket.end('!'));
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const socket = connect({ host: '127.0.0.1', port, ...client });
  socket.on('secureConnect', () => {
    result.protocol = socket.getProtocol();
    socket.write('?');
  });
  socket.on('error', (error) => (result.client = error));
  socket.on('data', () => (result.answered = true));
  await once(socket, 'close').catch(() => once(socket, 'close'));
  listener.close();
  await once(listener, 'close');
  return result;
}
