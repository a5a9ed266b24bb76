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

const rounds = 21;
const callsPerRound = 2_000;

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
    headers: { 'content-type': 'application/json' },
    body: Readable.from([answer]),
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
  const through = await listen((request, response) =>
    gateway.handle(request, response, { carrier: 'bench', visitor: '127.0.0.1:1', hostnames: ['127.0.0.1'] }),
  );

  const costs: number[] = [];
  for (let round = -2; round < rounds; round += 1) {
    const plain = await cpuPerCall(bare.url, token);
    const gated = await cpuPerCall(through.url, token);
    if (round >= 0) costs.push(gated - plain); // The first two warm up.
  }
  costs.sort((left, right) => left - right);
  const at = (share: number): string => `${(costs[Math.floor(share * (costs.length - 1))]! / 1000).toFixed(3)} ms`;
  process.stdout.write(
    `gateway CPU per call beyond a bare handler: p50 ${at(0.5)} (quartiles ${at(0.25)} to ${at(0.75)}, ${rounds} rounds of ${callsPerRound})\n`,
  );
  for (const { server } of [bare, through]) server.close();
  policy.close();
  grants.close();
  await audit.close();
  await rm(home, { recursive: true, force: true });
}

/** Microseconds of this process's CPU time. */
async function cpuPerCall(url: string, token: string): Promise<number> {
  const before = process.cpuUsage();
  await load(url, token);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / callsPerRound;
}

const caller = `
const http = require('node:http');
const [url, token, count, body] = process.argv.slice(1);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const headers = { authorization: 'Bearer ' + token, 'content-type': 'application/json', accept: 'application/json, text/event-stream', 'content-length': Buffer.byteLength(body) };
let left = Number(count);
(function next() {
  if (left-- === 0) return agent.destroy();
  http.request(url, { method: 'POST', agent, headers }, (answer) => {
    if (answer.statusCode !== 200) { console.error('answered ' + answer.statusCode); process.exit(1); }
    answer.resume().on('end', next);
  }).end(body);
})();`;

function load(url: string, token: string): Promise<void> {
  const child = spawn(process.execPath, ['-e', caller, url, token, String(callsPerRound), call], { stdio: 'inherit' });
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
