// What the inspector costs in the helper: exchanges are fed through the recorder at a fixed rate into a log that is
// full, while a viewer with a filter reads its window after every hint. What everything else in this process feels is the
// delay of the event loop. Figures are printed, never asserted.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock as clock } from '../../src/core/clock.ts';
import { heldTraffic } from '../../src/helper/trafficFolder.ts';
import { hintIntervalMs } from '../../src/helper/hints.ts';
import { rowFilter } from '../../src/mcp/filter/matchFilter.ts';
import { parseFilter } from '../../src/mcp/filter/parseFilter.ts';
import { Segments } from '../../src/traffic/segments.ts';
import { TrafficLog } from '../../src/traffic/trafficLog.ts';
import { TrafficView } from '../../src/traffic/trafficView.ts';

const perSecond = 2_000;
const seconds = 10;
const tickMs = 5;
const filters = ['', 'tool:echo status:ok', 'agent:claude -is:denied latency:>1', 'text:"sentence 1234"'];

const request = (n: number): Buffer =>
  Buffer.from(
    `{"jsonrpc":"2.0","id":${n},"method":"tools/call","params":{"name":"echo","arguments":{"message":"sentence ${n}"}}}`,
  );
const headers: [string, string][] = [
  ['content-type', 'application/json'],
  ['accept', 'application/json, text/event-stream'],
  ['user-agent', 'bench/1.0'],
];

/** What the gateway tells the log of a small call. */
function call(log: TrafficLog, n: number): void {
  const exchange = log.begin({
    tunnel: 't',
    direction: 'agent-to-server',
    kind: 'request',
    httpMethod: 'POST',
    path: '/mcp',
    headers,
  });
  exchange.update({
    principal: { kind: 'grant', name: 'claude' },
    agent: `claude-${n % 5}`,
    session: 'abcdefgh',
    era: 'legacy',
  });
  exchange.request(request(n));
  exchange.mark('bodyRead');
  exchange.update({ method: 'tools/call', name: n % 3 === 0 ? 'echo' : `tool-${n % 40}`, rule: 'default' });
  exchange.mark('decided');
  exchange.mark('audited');
  exchange.response(200, headers);
  exchange.message(
    'server-to-agent',
    `{"jsonrpc":"2.0","id":${n},"result":{"content":[{"type":"text","text":"Echo: sentence ${n}"}]}}`,
  );
  exchange.responseBytes(90);
  exchange.finish({ status: n % 50 === 0 ? 'error' : 'ok' });
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heap(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'mcp-tunnel-bench-'));
  const segments = new Segments(join(folder, 'own'));
  const log = new TrafficLog({ clock, secrets: () => ['a secret of the bench'], ...heldTraffic, segments });
  const before = heap();
  let fed = 0;
  while (log.size < heldTraffic.capacity) {
    for (let n = 0; n < 500; n += 1) call(log, (fed += 1));
    await pause(0);
  }
  await pause(1_000); // What is still to be written.
  const perRow = (heap() - before) / log.size;
  const megabytes = (segments.bytes / 1e6).toFixed(0);
  say(
    `${log.size} exchanges held: ${perRow.toFixed(0)} B each in memory, ${megabytes} MB in ${segments.files} files, ${log.lost} lost`,
  );
  for (const text of ['no viewer', ...filters]) await measure(text);
  await segments.close();
  await rm(folder, { recursive: true, force: true });

  async function measure(text: string): Promise<void> {
    const parsed = parseFilter(text === 'no viewer' ? '' : text);
    if (parsed.kind === 'problem') throw new Error(parsed.message);
    const isWatched = text !== 'no viewer';
    const view = new TrafficView({ log, filter: rowFilter(parsed, () => 'server'), progressed: () => {} });
    const delay = monitorEventLoopDelay({ resolution: 1 });
    let windows = 0;
    let shown = 0;
    let firstMs: number | undefined;
    let wholeMs: number | undefined;
    const cpu = process.cpuUsage();
    const startedMs = performance.now();
    const endMs = startedMs + seconds * 1_000;
    delay.enable();
    const look = async (): Promise<void> => {
      while (performance.now() < endMs) {
        const window = await view.window({ from: 'end', count: 120 });
        windows += 1;
        shown = window.matched;
        firstMs ??= performance.now() - startedMs;
        if (!window.searching) wholeMs ??= performance.now() - startedMs;
        await pause(hintIntervalMs);
      }
    };
    const looking = isWatched ? look() : undefined;
    let due = 0;
    while (performance.now() < endMs) {
      const wanted = ((performance.now() - startedMs) / 1_000) * perSecond;
      for (; due < wanted; due += 1) call(log, (fed += 1));
      await pause(tickMs);
    }
    await looking;
    delay.disable();
    const { user, system } = process.cpuUsage(cpu);
    const ms = (value: number | undefined): string => (value === undefined ? '–' : `${value.toFixed(0)} ms`);
    const late = (at: number): string => `${Math.max(0, delay.percentile(at) / 1e6 - 1).toFixed(1)} ms`;
    say(
      `${(text || 'no filter').padEnd(38)} ${(due / seconds).toFixed(0)}/s, CPU ${((user + system) / seconds / 10_000).toFixed(0)} %, ` +
        `event loop late p50 ${late(50)}, p95 ${late(95)}, p99 ${late(99)}, most ${late(100)}; ` +
        `${windows} windows, first ${ms(firstMs)}, all looked at ${ms(wholeMs)}, ${shown} match; heap ${(process.memoryUsage().heapUsed / 1e6).toFixed(0)} MB`,
    );
    view.close();
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

void main();
