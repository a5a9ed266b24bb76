// The tunnel against other ways to the same endpoint: direct HTTPS, a bare splice by name, `ssh -R` with haproxy, and a
// pool of connections as frp keeps one. The same gateway is behind all of them; rounds are interleaved, and what counts
// is the ratio of medians. Then what those cost who do nothing. `-- tunnel [--rounds N] [--only ways,idle]`.
import { execFileSync, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { median, print, printTable, quantile, ratios, spread } from './figures.ts';
import { cpuMs } from './tunnel/cpu.ts';
import type { Measure, Measured, Target } from './tunnel/caller.ts';
import { enrolHome, runEdge } from './tunnel/edgeProcess.ts';
import { publicName } from './tunnel/endpoint.ts';
import { printIdleCost } from './tunnel/idleCost.ts';
import { Player, playRole } from './tunnel/roles.ts';
import { openSshWay } from './tunnel/sshWay.ts';

const mebibyte = 1 << 20;
const label = 'bench';
const domain = 'bench.localhost';

/** `pids`: the endpoint's process, and those that relay to it. */
type WayTarget = Target & { pids: number[] };
type Way = 'direct' | 'splice' | 'ssh' | 'pool' | 'edge';
type Figure = { name: string; unit: string; measure: Measure; of: (measured: Measured) => number };

const perSecond = (measured: Measured): number => (1000 * measured.timesMs.length) / measured.wholeMs;
const p50 = (measured: Measured): number => median(measured.timesMs);
const bulkMiB = 64;
const mebibytesPerSecond = ({ wholeMs }: Measured): number => (1000 * bulkMiB) / wholeMs;

const figures: readonly Figure[] = [
  { name: 'small call, 1 at once, p50', unit: 'ms', measure: { kind: 'calls', count: 300, atOnce: 1 }, of: p50 },
  { name: 'small call, 16 at once, p50', unit: 'ms', measure: { kind: 'calls', count: 1600, atOnce: 16 }, of: p50 },
  {
    name: 'calls a second, 16 at once',
    unit: '/s',
    measure: { kind: 'calls', count: 1600, atOnce: 16 },
    of: perSecond,
  },
  {
    name: 'without a gateway, 1 at once, p50',
    unit: 'ms',
    measure: { kind: 'calls', count: 300, atOnce: 1, bare: true },
    of: p50,
  },
  {
    name: 'without a gateway, 16 at once, p50',
    unit: 'ms',
    measure: { kind: 'calls', count: 1600, atOnce: 16, bare: true },
    of: p50,
  },
  {
    name: 'without a gateway, calls a second, 16 at once',
    unit: '/s',
    measure: { kind: 'calls', count: 1600, atOnce: 16, bare: true },
    of: perSecond,
  },
  { name: 'small call, 128 at once, p50', unit: 'ms', measure: { kind: 'calls', count: 1600, atOnce: 128 }, of: p50 },
  { name: 'fresh connection to first answer', unit: 'ms', measure: { kind: 'fresh', count: 40 }, of: p50 },
  {
    name: '64 MiB down',
    unit: 'MiB/s',
    measure: { kind: 'down', bytes: bulkMiB * mebibyte },
    of: mebibytesPerSecond,
  },
  {
    name: '64 MiB up',
    unit: 'MiB/s',
    measure: { kind: 'up', bytes: bulkMiB * mebibyte },
    of: mebibytesPerSecond,
  },
  { name: 'event delay, p50', unit: 'ms', measure: { kind: 'events', count: 100, everyMs: 5 }, of: p50 },
  {
    name: 'event delay, p99',
    unit: 'ms',
    measure: { kind: 'events', count: 100, everyMs: 5 },
    of: ({ timesMs }) => quantile(timesMs, 0.99),
  },
];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '9' }, only: { type: 'string', default: 'ways,idle' } },
    allowPositionals: true,
  });
  const packages = ['haproxy', 'openssh-server', 'openssh-client'];
  execFileSync(process.execPath, [join(process.cwd(), 'test', 'host', 'debian.mjs'), ...packages], {
    stdio: 'inherit',
  });
  const folder = await mkdtemp(join(tmpdir(), 'mcp-tunnel-bench-'));
  const ended: (() => void)[] = [];
  try {
    if (values.only.includes('ways')) {
      const targets = await openWays(folder, ended);
      const caller = new Player('caller');
      ended.push(() => caller.close());
      await printFigures(targets, caller, Number(values.rounds));
    }
    if (values.only.includes('idle')) await printIdleCost(folder, ended);
  } finally {
    for (const end of ended.toReversed()) end();
    await rm(folder, { recursive: true, force: true });
  }
}

async function openWays(folder: string, ended: (() => void)[]): Promise<Record<Way, WayTarget>> {
  const home = join(folder, 'home');
  const edge = await runEdge({ data: join(folder, 'edge'), domain });
  ended.push(() => edge.child.kill('SIGKILL'));
  enrolHome(edge, home);
  const pool = new Player('pool');
  const splice = new Player('splice');
  const endpoint = new Player('endpoint');
  ended.push(() => [pool, splice, endpoint].forEach((player) => player.close()));
  const pooled = await pool.ask(null);
  const { port, token } = await endpoint.ask({
    home,
    edge: { domain: `${domain}:${edge.port}`, label, instance: 'bench' },
    poolPort: pooled.poolPort,
  });
  const spliced = await splice.ask(port);
  const ssh = await openSshWay({ folder: join(folder, 'ssh'), endpointPort: port });
  ended.push(() => ssh.relays.forEach((child) => child.kill('SIGKILL')));
  const way = (at: number, relays: readonly ChildProcess[]): WayTarget => {
    const pids = [endpoint.child, ...relays].map(({ pid }) => pid!);
    return { serverName: publicName, token, port: at, pids };
  };
  return {
    direct: way(port, []),
    splice: way(spliced.port, [splice.child]),
    ssh: way(ssh.port, ssh.relays),
    pool: way(pooled.port, [pool.child]),
    edge: way(edge.port, [edge.child]),
  };
}

async function printFigures(targets: Record<Way, WayTarget>, caller: Player<'caller'>, rounds: number): Promise<void> {
  const ways = Object.keys(targets) as Way[];
  const found = new Map(figures.map(({ name }) => [name, new Map(ways.map((way) => [way, [] as number[]]))]));
  for (let round = -1; round < rounds; round += 1) {
    for (const { name, measure, of } of figures) {
      for (const way of turned(ways, round)) {
        const value = of(await caller.ask({ target: targets[way], measure }));
        if (round >= 0) found.get(name)?.get(way)?.push(value); // The first round warms up.
      }
    }
  }
  await printCpu(targets, caller);
  print(`medians (quartiles) of ${rounds} interleaved rounds, and below each the ratio to ssh -R with haproxy`);
  const rows = figures.flatMap(({ name, unit }) => {
    const of = (way: Way): number[] => found.get(name)?.get(way) ?? [];
    return [
      [`${name}, ${unit}`, ...ways.map((way) => spread(of(way)))],
      ['', ...ways.map((way) => (way === 'ssh' ? '' : `× ${spread(ratios(of(way), of('ssh')))}`))],
    ];
  });
  printTable([['', ...ways.map((way) => shownAs[way])], ...rows]);
}

async function printCpu(targets: Record<Way, WayTarget>, caller: Player<'caller'>): Promise<void> {
  const count = 5000;
  print(`CPU of endpoint and relays together, µs a call, 16 at once, ${count} calls each way`);
  for (const [way, target] of Object.entries(targets) as [Way, WayTarget][]) {
    const before = cpuMs(target.pids);
    await caller.ask({ target, measure: { kind: 'calls', count, atOnce: 16 } });
    print(`  ${shownAs[way].padEnd(20)} ${(((cpuMs(target.pids) - before) * 1000) / count).toFixed(0)}`);
  }
}

const shownAs: Readonly<Record<Way, string>> = {
  direct: 'direct HTTPS',
  splice: 'bare splice',
  ssh: 'ssh -R + haproxy',
  pool: 'pool of connections',
  edge: 'mcp-tunnel edge',
};

/** Each round begins with another way. */
function turned<T>(list: readonly T[], by: number): T[] {
  const at = ((by % list.length) + list.length) % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

if (!playRole()) void main();
