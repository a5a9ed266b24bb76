// A gateway with everything real around it but the disk, the carrier's relay and the server behind it: agents come over
// TLS by HTTP/1.1 or HTTP/2, and the upstream writes down what it hears of them.
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { AuditEvent } from '../../src/audit/auditEvent.ts';
import type { AuditLog } from '../../src/audit/auditLog.ts';
import { LocalCertificate } from '../../src/carriers/localCertificate.ts';
import type { Clock } from '../../src/core/clock.ts';
import { Emitter } from '../../src/core/emitter.ts';
import { Gateway, type GatewayOptions } from '../../src/gateway/gateway.ts';
import type { HttpRequest, HttpResponse } from '../../src/gateway/http.ts';
import { GrantStore, type Grant, type NewGrant } from '../../src/identity/grants.ts';
import { Throttle } from '../../src/identity/throttle.ts';
import type { ExchangeDetail, ExchangeRow } from '../../src/mcp/exchange.ts';
import { RateLimiter } from '../../src/policy/limits.ts';
import { PolicyStore } from '../../src/policy/policyStore.ts';
import { TrafficLog } from '../../src/traffic/trafficLog.ts';
import { InnerTls } from '../../src/tunnel/innerTls.ts';
import type { Upstream, UpstreamEvent, UpstreamRequest, UpstreamResponse } from '../../src/upstream/upstream.ts';
import { callHttp1, type Answer, type Call, type Target } from './agents.ts';
import { anAuthority } from './certs.ts';
import { CountingClock } from './leaks.ts';
import { MemoryFiles } from './memoryFiles.ts';

export const hostname = 'everything-x7k2.tunnel.localhost';
export const visitor = '203.0.113.7';
export const serverId = 'server-1';

const policyPath = '/user/policy.json';

/** What the server behind the gateway heard, and what it says to it. */
export class RecordingUpstream implements Upstream {
  readonly kind = 'http';
  readonly heard: UpstreamRequest[] = [];
  answer: (request: UpstreamRequest) => UpstreamResponse | Promise<UpstreamResponse>;

  constructor(answer: RecordingUpstream['answer']) {
    this.answer = answer;
  }

  async check(): Promise<void> {}

  async forward(request: UpstreamRequest): Promise<UpstreamResponse> {
    this.heard.push(request);
    return this.answer(request);
  }

  readonly #events = new Emitter<UpstreamEvent>();
  readonly onEvent = this.#events.on;

  /** What the server does beside its answers. */
  say(event: UpstreamEvent): void {
    this.#events.emit(event);
  }

  async close(): Promise<void> {}
}

/** An audit log in memory that can be made to hang or to fail. */
export class MemoryAudit {
  readonly records: Record<string, unknown>[] = [];
  hold: Promise<void> | undefined;
  failure: Error | undefined;

  async append(event: AuditEvent): Promise<void> {
    await this.hold;
    if (this.failure) throw this.failure;
    this.records.push({ ...event });
  }

  appendSoon(event: AuditEvent): Promise<void> {
    return this.append(event);
  }

  get text(): string {
    return JSON.stringify(this.records);
  }
}

export type GatewayWorld = {
  gateway: Gateway;
  upstream: RecordingUpstream;
  grants: GrantStore;
  traffic: TrafficLog;
  audit: MemoryAudit;
  /** What an agent needs, besides the token. */
  target: Target;
  token: string;
  grant: Grant;
  log: string[];
  /** Requests whose answer is neither complete nor cut. */
  unanswered: () => number;
  /** Puts another file in place of the user's; it holds when this resolves. */
  setPolicy: (policy: object | string) => Promise<void>;
  grantFor: (scope: NewGrant['scope'], more?: Partial<NewGrant>) => Promise<{ token: string; grant: Grant }>;
  /** The rows as they are now, oldest first. */
  rows: () => ExchangeRow[];
  detail: (row: ExchangeRow | undefined) => ExchangeDetail;
};

export type GatewayWorldOptions = {
  clock?: Clock;
  policy?: object;
  answer?: RecordingUpstream['answer'];
  /** A server of the test; absent: one that gives `answer`. */
  behind?: Upstream;
  more?: Partial<GatewayOptions>;
};

export async function aGateway(options: GatewayWorldOptions = {}): Promise<GatewayWorld> {
  const clock = options.clock ?? new CountingClock();
  const files = new MemoryFiles();
  if (options.policy) files.texts.set(policyPath, JSON.stringify({ version: 1, ...options.policy }));
  const policy = new PolicyStore({ files, clock, locations: { managed: '/m', user: policyPath, workspaces: [] } });
  const grants = new GrantStore({ files, path: '/grants.json', clock, randomBytes });
  const audit = new MemoryAudit();
  await Promise.all([policy.load(), grants.load()]);
  onTestFinished(() => {
    policy.close();
    grants.close();
  });

  const traffic = new TrafficLog({ clock, secrets: () => [] });
  const upstream = new RecordingUpstream(options.answer ?? (() => ({ status: 202, headers: {} })));
  const log: string[] = [];
  const gateway = new Gateway({
    tunnel: 'tunnel-1',
    serverId,
    clock,
    grants,
    policy,
    audit: audit as unknown as AuditLog,
    traffic,
    upstream: options.behind ?? upstream,
    throttle: new Throttle({ clock }),
    limiter: new RateLimiter({ clock }),
    log: (message) => void log.push(message),
    ...options.more,
  });
  gateway.start();
  onTestFinished(() => gateway.close());
  let unanswered = 0;
  const target = await listen(gateway.clientAuthorities, (request, response, arrival) => {
    unanswered += 1;
    gateway.handle(request, response, arrival);
    response.once('close', () => (unanswered -= 1));
  });

  const setPolicy: GatewayWorld['setPolicy'] = (next) => {
    files.texts.set(policyPath, typeof next === 'string' ? next : JSON.stringify({ version: 1, ...next }));
    return policy.replaceWorkspaces([]); // Reads all files again.
  };
  const grantFor: GatewayWorld['grantFor'] = (scope, more = {}) =>
    grants.add({ name: 'tester', servers: [serverId], scope, expiresMs: clock.now() + 3_600_000, ...more });
  const rows = (): ExchangeRow[] =>
    traffic
      .read({ after: 0, max: 5_000 })
      .rows.sort((left, right) => Number.parseInt(idOf(left), 36) - Number.parseInt(idOf(right), 36));
  const detail: GatewayWorld['detail'] = (row) => traffic.get(row?.id ?? 'no such row');
  return {
    gateway,
    upstream,
    grants,
    traffic,
    audit,
    target,
    log,
    setPolicy,
    grantFor,
    rows,
    detail,
    unanswered: () => unanswered,
    ...(await grantFor({})),
  };
}

function idOf({ id }: ExchangeRow): string {
  return id.split('-')[1] ?? '';
}

/** Agents' TLS ends as it does in a tunnel; what is not here is the edge. */
async function listen(clientAuthorities: Gateway['clientAuthorities'], handle: Gateway['handle']): Promise<Target> {
  const authority = await anAuthority();
  const hostnames = [hostname, 'localhost', '127.0.0.1', '::1'];
  const certificate = await LocalCertificate.create({ authority, names: hostnames, clock: new CountingClock() });
  const inner = new InnerTls({
    context: certificate.context,
    clientAuthorities,
    clock: new CountingClock(),
    onRequest: (request, response, from, clientChain) => {
      const arrival = { carrier: 'test', visitor: from, hostnames, clientChain };
      handle(request as HttpRequest, response as HttpResponse, arrival);
    },
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket)).on('error', () => {});
    inner.accept(socket, visitor);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    inner.close();
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, 'close');
  });
  return { hostname, port: (server.address() as AddressInfo).port, ca: authority.certificatePem };
}

// ── What agents send ───────────────────────────────────────────────────────

export function authorityOf({ hostname, port }: Target): string {
  return `${hostname}:${port}`;
}

export function mcpHeaders(token: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...more,
  };
}

export function request(method: string, params?: object, id: string | number = 1): object {
  return { jsonrpc: '2.0', id, method, ...(params === undefined ? {} : { params }) };
}

/** A POST of one or more messages, over HTTP/1.1, with the world's own token. */
export function post(
  { target, token }: Pick<GatewayWorld, 'target' | 'token'>,
  body: object | string | Readable,
  more: Call = {},
): Promise<Answer> {
  const bytes =
    typeof body === 'string' ? Buffer.from(body) : isStream(body) ? body : Buffer.from(JSON.stringify(body));
  const headers = { ...mcpHeaders(token), ...(isStream(bytes) ? {} : { 'content-length': `${bytes.length}` }) };
  return callHttp1(target, {
    method: 'POST',
    path: '/mcp',
    ...more,
    headers: { ...headers, ...more.headers },
    body: bytes,
  });
}

function isStream(body: object): body is Readable {
  return 'pipe' in body;
}

// ── What servers answer ────────────────────────────────────────────────────

export function json(body: unknown, headers: Record<string, string> = {}): UpstreamResponse {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'content-length': `${bytes.length}`, ...headers },
    body: bodyOf([bytes]),
  };
}

export function sse(body: Readable, headers: Record<string, string> = {}): UpstreamResponse {
  return { status: 200, headers: { 'content-type': 'text/event-stream', ...headers }, body };
}

export function bodyOf(chunks: Iterable<Buffer> | AsyncIterable<Buffer>): Readable {
  return Readable.from(chunks, { objectMode: false });
}

/** The answer of a server to whatever single request came. */
export function resultOf(sent: UpstreamRequest, result: object): UpstreamResponse {
  const [message] = sent.messages;
  return json({ jsonrpc: '2.0', id: message?.kind === 'request' ? message.id : null, result });
}
