// What a way costs on a line that costs nothing: small calls one after the other and 16 at once, and one large answer.
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';

export type PlainCost = {
  oneMs: number[];
  sixteenMs: number[];
  perSecond: number;
  cpuUs: number;
  bulkMiBPerSecond: number;
  bulkCpuMs: number;
};

const calls = 300;
const callsAtOnce = 1600;
const bulkBytes = 64 << 20;

export async function plainCost({ host, port }: { host: string; port: number }): Promise<PlainCost> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16, rejectUnauthorized: false });
  const call = async (path = '/'): Promise<number> => {
    const startedMs = performance.now();
    const options = { host, port, path, servername: 'x.bench.localhost', headers: { host: 'x' }, agent };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request(options, resolve).on('error', reject).end();
    });
    answer.resume();
    await once(answer, 'end');
    return performance.now() - startedMs;
  };
  const many = async (count: number, atOnce: number): Promise<number[]> => {
    const times: number[] = [];
    let left = count;
    const worker = async (): Promise<void> => {
      while (left-- > 0) times.push(await call());
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    return times;
  };
  await many(64, 16); // Every connection stands.
  const oneMs = await many(calls, 1);
  const [cpu, startedMs] = [process.cpuUsage(), performance.now()];
  const sixteenMs = await many(callsAtOnce, 16);
  const perSecond = (1000 * callsAtOnce) / (performance.now() - startedMs);
  const { user, system } = process.cpuUsage(cpu);
  const bulkCpu = process.cpuUsage();
  const bulkMs = await call(`/?bytes=${bulkBytes}`);
  const spent = process.cpuUsage(bulkCpu);
  agent.destroy();
  return {
    oneMs,
    sixteenMs,
    perSecond,
    cpuUs: (user + system) / callsAtOnce,
    bulkCpuMs: (spent.user + spent.system) / 1000 / (bulkBytes / (1 << 20)),
    bulkMiBPerSecond: (1000 * bulkBytes) / (1 << 20) / bulkMs,
  };
}
