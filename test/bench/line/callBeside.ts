// One agent reads without end; beside it another makes small calls on a connection of its own, one after the other.
import { once } from 'node:events';
import { Agent, request, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

export type Beside = { callsMs: number[]; bulkMbitPerSecond: number };

/** The transfer is at its full speed by then. */
const warmMs = 1500;
const calls = 15;
const bulkBytes = 2 ** 40;

export async function beside({ host, port }: { host: string; port: number }): Promise<Beside> {
  const agents = [0, 1].map(() => new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false }));
  const options = (agent: number): RequestOptions => {
    return { host, port, servername: 'x.bench.localhost', headers: { host: 'x' }, agent: agents[agent] };
  };
  const bulk = await answered({ ...options(0), path: `/?bytes=${bulkBytes}` });
  let received = 0;
  bulk.on('data', (chunk: Buffer) => (received += chunk.length)).on('error', () => {});
  await pause(warmMs);

  await drained(await answered(options(1))); // Its connection stands.
  const callsMs: number[] = [];
  const [before, started] = [received, performance.now()];
  for (let call = 0; call < calls; call += 1) {
    const startedMs = performance.now();
    await drained(await answered(options(1)));
    callsMs.push(performance.now() - startedMs);
  }
  const bulkMbitPerSecond = ((received - before) * 8) / 1000 / (performance.now() - started);
  bulk.destroy();
  for (const agent of agents) agent.destroy();
  await pause(300); // What is still under way on the line.
  return { callsMs, bulkMbitPerSecond };
}

function answered(options: RequestOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(options, resolve).on('error', reject).end();
  });
}

async function drained(response: IncomingMessage): Promise<void> {
  response.resume();
  await once(response, 'end');
}
