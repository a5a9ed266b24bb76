// A small call beside a bulk transfer, on a slow line and on a lossy one: direct HTTPS, and through an edge over links
// framed by HTTP/2 and by `wire/frames/`, one link and four. The line is between edge and connector, or between agent and
// server where there is no edge. Rounds are interleaved; what counts is the ratio of medians to direct.
// A line that costs nothing shows what the framings themselves cost. `-- line [--rounds N] [--only plain|slow]`
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DelayLine, farAddress, isInNamespace, runInNamespace, type LineOptions } from './delayLine.ts';
import { median, print, printTable, quantile, spread } from './figures.ts';
import { beside, type Beside } from './line/callBeside.ts';
import { freshConnection } from './line/freshConnection.ts';
import { plainCost, type PlainCost } from './line/plainCost.ts';
import { LinkWorld } from './line/linkWorld.ts';

const kibibyte = 1024;

const lines: { name: string; line: LineOptions }[] = [
  {
    name: '20 Mbit/s, 40 ms',
    line: { bitsPerSecond: 20e6, roundTripMs: 40, bufferBytes: 128 * kibibyte, loss: 0 },
  },
  {
    name: '200 Mbit/s, 40 ms, 1 % loss',
    line: { bitsPerSecond: 200e6, roundTripMs: 40, bufferBytes: 1024 * kibibyte, loss: 0.01 },
  },
];

const ways = ['direct', 'http2 ×1', 'frames ×1', 'http2 ×4', 'frames ×4'] as const;
type Way = (typeof ways)[number];

const tunnels = {
  'http2 ×1': { framing: 'http2', links: 1 },
  'frames ×1': { framing: 'frames', links: 1 },
  'http2 ×4': { framing: 'http2', links: 4 },
  'frames ×4': { framing: 'frames', links: 4 },
} as const;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '7' }, only: { type: 'string', default: 'plain,slow' } },
    allowPositionals: true,
  });
  const rounds = Number(values.rounds);
  if (isInNamespace()) return slow(rounds);
  if (values.only.includes('plain')) await plain(rounds);
  if (!values.only.includes('slow')) return;
  const install = join(process.cwd(), 'test', 'host', 'debian.mjs');
  execFileSync(process.execPath, [install, 'python3', 'iproute2'], { stdio: 'inherit' });
  process.exitCode = runInNamespace();
}

async function slow(rounds: number): Promise<void> {
  for (const { name, line: options } of lines) {
    const line = await DelayLine.open(options);
    const world = await LinkWorld.open(tunnels, farAddress);
    const target = (way: Way): { port: number; host: string } =>
      way === 'direct'
        ? { port: world.directPort, host: farAddress }
        : { port: world.edgePort(way), host: '127.0.0.1' };
    const measured = new Map<Way, Beside[]>(ways.map((way) => [way, []]));
    const freshMs = new Map<Way, number[]>(ways.map((way) => [way, []]));
    for (let round = -1; round < rounds; round += 1) {
      for (const way of ways) {
        const fresh = await freshConnection(target(way));
        const result = await beside(target(way));
        if (round < 0) continue; // The first warms up.
        freshMs.get(way)?.push(fresh);
        measured.get(way)?.push(result);
      }
    }
    await world.close();
    await line.close();
    printLine(name, measured);
    printFresh(name, freshMs);
  }
}

async function plain(rounds: number): Promise<void> {
  const world = await LinkWorld.open(tunnels, '127.0.0.1');
  const measured = new Map<Way, PlainCost[]>(ways.map((way) => [way, []]));
  for (let round = -1; round < rounds; round += 1) {
    for (const way of ways) {
      const port = way === 'direct' ? world.directPort : world.edgePort(way);
      const result = await plainCost({ host: '127.0.0.1', port });
      if (round >= 0) measured.get(way)?.push(result);
    }
  }
  await world.close();
  print(`loopback, agent, edge and connector in one process, ${rounds} rounds`);
  const column = (way: Way, of: (cost: PlainCost) => number, digits: number): string =>
    spread(measured.get(way)!.map(of), digits);
  printTable([
    [
      '',
      'p50 ms, 1 at once',
      'p50 ms, 16 at once',
      'calls/s, 16 at once',
      'CPU µs a call',
      '64 MiB, MiB/s',
      'CPU ms a MiB',
    ],
    ...ways.map((way) => [
      way,
      column(way, ({ oneMs }) => median(oneMs), 3),
      column(way, ({ sixteenMs }) => median(sixteenMs), 2),
      column(way, ({ perSecond }) => perSecond, 0),
      column(way, ({ cpuUs }) => cpuUs, 0),
      column(way, ({ bulkMiBPerSecond }) => bulkMiBPerSecond, 0),
      column(way, ({ bulkCpuMs }) => bulkCpuMs, 2),
    ]),
  ]);
}

function printLine(name: string, measured: Map<Way, Beside[]>): void {
  const calls = (way: Way): number[] => measured.get(way)!.map(({ callsMs }) => median(callsMs));
  const rates = (way: Way): number[] => measured.get(way)!.map(({ bulkMbitPerSecond }) => bulkMbitPerSecond);
  const direct = median(calls('direct'));
  print(`${name}: small call beside a bulk transfer, ${measured.get('direct')!.length} rounds`);
  printTable([
    ['', 'p50 ms (quartiles of rounds)', 'of direct', 'p90 ms', 'bulk Mbit/s'],
    ...ways.map((way) => [
      way,
      spread(calls(way), 1),
      (median(calls(way)) / direct).toFixed(2),
      quantile(
        measured.get(way)!.flatMap(({ callsMs }) => callsMs),
        0.9,
      ).toFixed(1),
      spread(rates(way), 1),
    ]),
  ]);
}

function printFresh(name: string, freshMs: Map<Way, number[]>): void {
  const direct = freshMs.get('direct')!;
  print(`${name}: fresh connection to first answer`);
  printTable([
    ['', 'p50 ms (quartiles of rounds)', 'of direct'],
    ...ways.map((way) => {
      const own = freshMs.get(way)!;
      return [way, spread(own, 1), (median(own) / median(direct)).toFixed(2)];
    }),
  ]);
}

void main();
