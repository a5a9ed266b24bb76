// From nothing to the first answer on an idle line: TCP, TLS and one small call.
import { once } from 'node:events';
import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';

export async function freshConnection({ host, port }: { host: string; port: number }): Promise<number> {
  const startedMs = performance.now();
  const options = { host, port, servername: 'x.bench.localhost', headers: { host: 'x' }, agent: false as const };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ ...options, rejectUnauthorized: false }, resolve)
      .on('error', reject)
      .end();
  });
  response.resume();
  await once(response, 'end');
  return performance.now() - startedMs;
}
