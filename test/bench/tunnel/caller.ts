// The agent in the benchmark: a process of its own that calls one way and tells how long it took.
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';

export type Target = { port: number; serverName: string; token: string };

/** Times in milliseconds, `bytes` of the body; `everyMs` between events. */
export type Measure =
  /** `bare`: past the gateway, to a handler that only answers. */
  | { kind: 'calls'; count: number; atOnce: number; bare?: true }
  | { kind: 'fresh'; count: number }
  | { kind: 'down'; bytes: number }
  | { kind: 'up'; bytes: number }
  | { kind: 'events'; count: number; everyMs: number }
  /** Small calls one after the other while bulk comes down, which ends with them. */
  | { kind: 'beside'; count: number };

/** `timesMs` of each call or event; `wholeMs` of all together. */
export type Measured = { timesMs: number[]; wholeMs: number };

const call = JSON.stringify({
  jsonrpc: '2.0',
  id: 7,
  method: 'tools/call',
  params: { name: 'echo', arguments: { message: 'a sentence of an ordinary length' } },
});

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** Connections stay open between measures of one target, as an agent's do. */
const agents = new Map<string, Agent>();

export async function measure(target: Target, wish: Measure): Promise<Measured> {
  const startMs = nowMs();
  const timesMs = await run(target, wish);
  return { timesMs, wholeMs: nowMs() - startMs };
}

async function run(target: Target, wish: Measure): Promise<number[]> {
  switch (wish.kind) {
    case 'calls':
      return manyCalls(
        target,
        wish.count,
        agentFor(target, wish.atOnce),
        wish.atOnce,
        wish.bare ? bareCall : smallCall,
      );
    case 'fresh':
      return inTurn(wish.count, async () => {
        const agent = new Agent({ keepAlive: false, maxCachedSessions: 0 });
        return timed(() => smallCall(target, agent));
      });
    case 'down':
      return [await timed(() => ask(target, agentFor(target, 1), { path: `/bare?down=${wish.bytes}` }))];
    case 'up':
      return [await timed(() => ask(target, agentFor(target, 1), { path: '/bare', method: 'POST' }, wish.bytes))];
    case 'events':
      return eventDelays(target, wish.count, wish.everyMs);
    case 'beside':
      return besideBulk(target, wish.count);
  }
}

function agentFor({ port, serverName }: Target, atOnce: number): Agent {
  const key = `${port} ${serverName} ${atOnce}`;
  const agent = agents.get(key) ?? new Agent({ keepAlive: true, maxSockets: atOnce });
  agents.set(key, agent);
  return agent;
}

async function manyCalls(
  target: Target,
  count: number,
  agent: Agent,
  atOnce: number,
  one: typeof smallCall,
): Promise<number[]> {
  let left = count;
  const timesMs: number[] = [];
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      timesMs.push(await timed(() => one(target, agent)));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return timesMs;
}

async function besideBulk(target: Target, count: number): Promise<number[]> {
  const stop = new AbortController();
  const bulk = new Agent({ keepAlive: false });
  const started = new Promise<void>((resolve, reject) => {
    const options = { path: `/bare?down=${4 * 2 ** 30}`, signal: stop.signal };
    ask(target, bulk, options, 0, () => resolve()).catch((error: unknown) => stop.signal.aborted || reject(error));
  });
  await started;
  try {
    return await inTurn(count, () => timed(() => smallCall(target, agentFor(target, 1))));
  } finally {
    stop.abort();
  }
}

async function eventDelays(target: Target, count: number, everyMs: number): Promise<number[]> {
  const delays: number[] = [];
  let rest = '';
  const path = `/bare?events=${count}&everyMs=${everyMs}`;
  await ask(target, agentFor(target, 1), { path }, 0, (bytes) => {
    const now = process.hrtime.bigint();
    const lines = (rest + bytes.toString()).split('\n\n');
    rest = lines.pop() ?? '';
    for (const line of lines) delays.push(Number(now - BigInt(line.slice('data: '.length))) / 1e6);
  });
  return delays;
}

async function inTurn(count: number, one: () => Promise<number>): Promise<number[]> {
  const timesMs: number[] = [];
  while (timesMs.length < count) timesMs.push(await one());
  return timesMs;
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const startMs = nowMs();
  await act();
  return nowMs() - startMs;
}

function smallCall(target: Target, agent: Agent): Promise<void> {
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  return ask(target, agent, { path: '/mcp', method: 'POST', headers }, call);
}

function bareCall(target: Target, agent: Agent): Promise<void> {
  return ask(target, agent, { path: '/bare', method: 'POST' }, call);
}

function ask(
  { port, serverName, token }: Target,
  agent: Agent,
  { headers, ...options }: Omit<RequestOptions, 'headers'> & { headers?: Record<string, string> },
  body: string | number = 0,
  onData: (bytes: Buffer) => void = () => {},
): Promise<void> {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body;
  const own = { authorization: `Bearer ${token}`, host: `${serverName}:${port}`, 'content-length': length };
  const place = { host: '127.0.0.1', port, servername: serverName, rejectUnauthorized: false };
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ ...place, agent, ...options, headers: { ...own, ...headers } }, (answer) => {
      answer
        .on('data', onData)
        .on('end', () => (isWhole(answer) ? resolve() : reject(new Error(`answered ${answer.statusCode}, cut off`))));
      answer.on('error', reject);
    });
    request.on('error', reject);
    if (typeof body === 'string') request.end(body);
    else sendBody(request, body);
  });
}

function isWhole(answer: IncomingMessage): boolean {
  return answer.statusCode === 200 && answer.complete;
}

function sendBody(request: NodeJS.WritableStream, bytes: number): void {
  const part = Buffer.alloc(256 * 1024, 'y');
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      const next = left >= part.length ? part : part.subarray(0, left);
      left -= next.length;
      if (!request.write(next)) return void request.once('drain', more);
    }
    request.end();
  };
  more();
}
