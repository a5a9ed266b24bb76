// The least a relay can do, as a path to compare with: read the name, dial the endpoint, join the sockets.
import { connect, createServer } from 'node:net';
import { parseClientHello } from '../../../src/edge/clientHello.ts';

export function runSplice(to: number): Promise<{ port: number }> {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (visitor) => {
    visitor.on('error', () => {});
    visitor.once('data', (hello: Buffer) => {
      if (parseClientHello(hello).kind !== 'hello') return void visitor.destroy();
      visitor.pause();
      const far = connect({ host: '127.0.0.1', port: to, noDelay: true, allowHalfOpen: true });
      far.on('error', () => {});
      far.write(hello);
      visitor.pipe(far).pipe(visitor);
      visitor.once('close', () => far.destroy());
      far.once('close', () => visitor.destroy());
    });
  });
  return new Promise((resolve) => {
    server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () =>
      resolve({ port: (server.address() as { port: number }).port }),
    );
  });
}
