// What frp does, as a path to compare with: the endpoint keeps TLS connections open that nobody uses yet; each visitor
// takes one of them, and another is opened in its place. Both ends; only for the benchmark.
import { createServer, type Socket } from 'node:net';
import { connect, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { selfSigned } from './selfSigned.ts';

const idleConnections = 32;
const go = Buffer.from('!');

/** The relay: visitors come to the first port, the endpoint's connections to the second. */
export async function runPool(): Promise<{ port: number; poolPort: number }> {
  const idle: TLSSocket[] = [];
  const waiting: Socket[] = [];
  const join = (visitor: Socket, link: TLSSocket): void => {
    link.write(go);
    visitor.pipe(link).pipe(visitor);
    for (const [side, other] of [
      [visitor, link],
      [link, visitor],
    ] as const) {
      side.once('close', () => other.destroy());
    }
  };
  const { keyPem, certificatePem } = await selfSigned();
  const links = createTlsServer({ key: keyPem, cert: certificatePem, minVersion: 'TLSv1.3' }, (link) => {
    link.setNoDelay(true).on('error', () => {});
    const visitor = waiting.shift();
    if (visitor) join(visitor, link);
    else idle.push(link);
  });
  const visitors = createServer({ noDelay: true }, (visitor) => {
    visitor.on('error', () => {});
    const link = idle.shift();
    if (link) join(visitor, link);
    else waiting.push(visitor);
  });
  return { port: await listen(visitors), poolPort: await listen(links) };
}

/** The endpoint's side: keeps the pool full. */
export function keepPool(port: number, onStream: (stream: TLSSocket) => void): void {
  const open = (): void => {
    const link = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
    link.setNoDelay(true).on('error', () => {});
    link.once('readable', () => {
      if (link.read(1) === null) return;
      open();
      onStream(link);
    });
  };
  for (let count = 0; count < idleConnections; count += 1) open();
}

function listen(server: ReturnType<typeof createServer>): Promise<number> {
  return new Promise((resolve) => {
    server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () =>
      resolve((server.address() as { port: number }).port),
    );
  });
}
