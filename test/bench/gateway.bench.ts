// What the gateway costs per call: authenticate, classify, decide, audit (a real chain on disk), record. The same small
// tools/call goes to a bare handler and through the gateway, over plain HTTP on loopback, in interleaved rounds; the
// caller is a process of its own, so that this one's CPU time is the server's alone.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { openAuditLog } from '../../src/audit/openAuditLog.ts';
import { systemClock as clock } from '../../src/core/clock.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { chainLocks } from '../../src/helper/chainLocks.ts';
import { privateFiles as files } from '../../src/helper/privateFiles.ts';
import { GrantStore } from '../../src/identity/grants.ts';
import { Throttle } from '../../src/identity/throttle.ts';
import { RateLimiter } from '../../src/policy/limits.ts';
import { PolicyStore } from '../../src/policy/policyStore.ts';
import { TrafficLog } from '../../src/traffic/trafficLog.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { profiled } from './stages.ts';

const rounds = 15;
const callsPerRound = 2_000;
const profiledCalls = 10_000;
/** About what the gateway itself takes. */
const busyUs = 150;

const call = JSON.stringify({
  jsonrpc: '2.0',
  id: 7,
  method: 'tools/call',
  params: { name: 'echo', arguments: { message: 'a sentence of an ordinary length' } },
});
const answer = Buffer.from(
  JSON.stringify({ jsonrpc: '2.0', id: 7, result: { content: [{ type: 'text', text: 'Echo: a sentence' }] } }),
);

const upstream: Upstream = {
  kind: 'http',
  check: async () => {},
  forward: async () => ({
    status: 200,
    headers: { 'content-type': 'application/json', 'content-length': String(answer.length) },
    body: Readable.from([answer], { objectMode: false }),
  }),
  onEvent: () => () => {},
  close: async () => {},
};

async function main(): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'mcp-tunnel-bench-'));
  const policyFile = join(home, 'policy.json');
  await files.write(policyFile, JSON.stringify({ version: 1, limits: { requestsPerMinute: 1_000_000 } }));
  const policy = new PolicyStore({
    files,
    clock,
    locations: { managed: '/nowhere', user: policyFile, workspaces: [] },
  });
  const grants = new GrantStore({ files, path: join(home, 'grants.json'), clock, randomBytes });
  await Promise.all([policy.load(), grants.load()]);
  const audit = await openAuditLog({
    folder: join(home, 'audit'),
    keyFiles: { private: join(home, 'key.pem'), public: join(home, 'key.pub') },
    files,
    locks: chainLocks,
    helper: 'bench',
    clock,
  });
  const gateway = new Gateway({
    tunnel: 't',
    serverId: 's',
    clock,
    grants,
    policy,
    audit,
    upstream,
    throttle: new Throttle({ clock }),
    limiter: new RateLimiter({ clock }),
    traffic: new TrafficLog({ clock, secrets: () => [] }),
    log: () => {},
  });
  const { token } = await grants.add({ name: 'b', servers: ['s'], scope: {}, expiresMs: clock.now() + 3_600_000 });

  const bare = await listen((request, response) => {
    request.on('data', () => {});
    request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end(answer));
  });
  // What any gateway has to do: hear the body out, ask the server, pass its stream on.
  const served = await listen((request, response) => {
    request.on('data', () => {});
    request.on('end', () => {
      void upstream.forward(undefined as never).then(({ headers, body }) => {
        response.writeHead(200, headers);
        body!.on('data', (chunk: Buffer) => response.end(chunk));
      });
    });
  });
  const through = await listen((request, response) =>
    gateway.handle(request, response, { carrier: 'bench', visitor: '127.0.0.1:1', hostnames: ['127.0.0.1'] }),
  );

  // Bare, but the caller has fallen asleep by the time it is answered: what waking it costs is no doing of a gateway's.
  const turns = turnsFor(busyUs);
  const slow = await listen((request, response) => {
    request.on('data', () => {});
    request.on('end', () => {
      spin(turns);
      response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
    });
  });
  const ways = { bare, served, slow, through };
  for (const atOnce of [1, 16]) {
    const costs = await interleaved(ways, token, atOnce);
    const beyond = (way: keyof typeof ways, less = 0): number[] =>
      costs[way].map((cost, round) => cost - costs.bare[round]! - less);
    print(
      `CPU of this process per call, ${atOnce} at once, ${rounds} rounds of ${callsPerRound} calls each way, in turn`,
    );
    print(`  a bare handler                                ${spread(costs.bare)}`);
    print(`  the gateway                                   ${spread(costs.through)}`);
    print(`  ratio of medians                              ${(median(costs.through) / median(costs.bare)).toFixed(2)}`);
    print(`  gateway beyond a bare handler                 ${spread(beyond('through'))}`);
    print(`    of that: the fake server's stream           ${spread(beyond('served'))}`);
    print(`    of that: a caller woken after ${busyUs} µs        ${spread(beyond('slow', busyUs))}`);
  }
  const stages = await profiled(() => load(through.url, token, profiledCalls, 16));
  const whole = [...stages.values()].reduce((sum, spent) => sum + spent, 0);
  print(`where the gateway's own time goes (of ${profiledCalls} profiled calls; Node's work for a file counts for it)`);
  const byCost = [...stages].sort(([, left], [, right]) => right - left);
  for (const [file, spent] of byCost.filter(([, spent]) => spent / whole >= 0.01)) {
    print(
      `  ${file.padEnd(40)} ${((100 * spent) / whole).toFixed(1).padStart(5)} %  ${(spent / profiledCalls).toFixed(1)} µs`,
    );
  }
  for (const { server } of Object.values(ways)) server.close();
  policy.close();
  grants.close();
  await audit.close();
  await rm(home, { recursive: true, force: true });
}

/** Microseconds of CPU time per call, each way after the other in every round, so that all see the same machine. */
async function interleaved<Way extends string>(
  ways: Record<Way, { url: string }>,
  token: string,
  atOnce: number,
): Promise<Record<Way, number[]>> {
  const names = Object.keys(ways) as Way[];
  const costs = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Way, number[]>;
  for (let round = -2; round < rounds; round += 1) {
    for (const name of names) {
      const before = process.cpuUsage();
      await load(ways[name].url, token, callsPerRound, atOnce);
      const { user, system } = process.cpuUsage(before);
      if (round >= 0) costs[name].push((user + system) / callsPerRound); // The first two warm up.
    }
  }
  return costs;
}

/** Turns that take so much CPU time; the clock on the wall would count what others do meanwhile. */
function turnsFor(us: number): number {
  const tried = 200_000_000;
  spin(tried / 10); // Warms up.
  const before = process.cpuUsage();
  spin(tried);
  return Math.round((us * tried) / process.cpuUsage(before).user);
}

function spin(turns: number): number {
  let sum = 0;
  for (let turn = 0; turn < turns; turn += 1) sum = (sum + turn) | 0;
  return sum;
}

function spread(costs: readonly number[]): string {
  const sorted = [...costs].sort((left, right) => left - right);
  const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))]! / 1000).toFixed(3);
  return `p50 ${at(0.5)} ms (quartiles ${at(0.25)} to ${at(0.75)})`;
}

function median(costs: readonly number[]): number {
  return [...costs].sort((left, right) => left - right)[Math.floor((costs.length - 1) / 2)]!;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const caller = `
const http = require('node:http');
const [url, token, count, body, atOnce] = process.argv.slice(1);
const agent = new http.Agent({ keepAlive: true, maxSockets: Number(atOnce) });
const headers = { authorization: 'Bearer ' + token, 'content-type': 'application/json', accept: 'application/json, text/event-stream', 'content-length': Buffer.byteLength(body) };
let left = Number(count);
let waiting = 0;
function next() {
  if (left === 0) return waiting === 0 && agent.destroy();
  left -= 1;
  waiting += 1;
  http.request(url, { method: 'POST', agent, headers }, (answer) => {
    if (answer.statusCode !== 200) { console.error('answered ' + answer.statusCode); process.exit(1); }
    answer.resume().on('end', () => { waiting -= 1; next(); });
  }).end(body);
}
for (let at = 0; at < Number(atOnce); at += 1) next();`;

function load(url: string, token: string, calls: number, atOnce: number): Promise<void> {
  const child = spawn(process.execPath, ['-e', caller, url, token, String(calls), call, String(atOnce)], {
    stdio: 'inherit',
  });
  return new Promise((resolve, reject) => {
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`the caller ended with ${code}`))));
  });
}

async function listen(handle: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp` };
}

void main();
