// A command that speaks MCP over stdio, shown to the gateway as a server of the Streamable HTTP transport
// (≤ 2025-11-25): each MCP session has a process of its own, from `initialize` to DELETE, idleness or its end.
import { randomUUID } from 'node:crypto';
import { systemClock, type Clock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { TunnelError } from '../core/errors.ts';
import { isJsonObject, type JsonValue } from '../core/json.ts';
import type { RpcId } from '../mcp/message.ts';
import { ended, jsonAnswer, refuse } from './answers.ts';
import { startServer, type ServerCommand } from './childProcess.ts';
import type { OpenPipe } from './messagePipe.ts';
import { ProcessGuardian } from './processGuardian.ts';
import { stdioLimits, type StdioLimits } from './stdioLimits.ts';
import { StdioSession } from './stdioSession.ts';
import type { Upstream, UpstreamEvent, UpstreamRequest, UpstreamResponse } from './upstream.ts';

export type StdioUpstreamOptions = ServerCommand & {
  clock?: Clock;
  limits?: Partial<StdioLimits>;
  /** One for all servers of a helper; absent: one of its own. */
  guardian?: ProcessGuardian;
  /** Opens what carries a session's messages; absent: the command is started. */
  open?: OpenPipe;
};

/** Revisions whose transport this front speaks; agents that name none are taken for 2025-03-26. */
const VERSIONS: ReadonlySet<string> = new Set(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']);
const PRIMING_SINCE = '2025-11-25';

export class StdioUpstream implements Upstream {
  readonly kind = 'stdio';
  readonly #open: OpenPipe;
  readonly #clock: Clock;
  readonly #limits: StdioLimits;
  readonly #guardian: ProcessGuardian;
  readonly #ownsGuardian: boolean;
  readonly #sessions = new Map<string, StdioSession>();
  readonly #starting = new Set<Promise<StdioSession>>();
  readonly #ending = new Set<Promise<void>>();
  readonly #events = new Emitter<UpstreamEvent>();
  #closed = false;

  constructor(options: StdioUpstreamOptions) {
    const { command, args, env, cwd } = options;
    this.#clock = options.clock ?? systemClock;
    this.#limits = { ...stdioLimits, ...options.limits };
    this.#guardian = options.guardian ?? new ProcessGuardian();
    this.#ownsGuardian = options.guardian === undefined;
    this.#open = options.open ?? (() => startServer({ command, args, env, cwd }, this.#guardian, this.#clock));
  }

  /** The process it starts is ended again: what an agent negotiates cannot be known before there is one. */
  async check(signal: AbortSignal): Promise<void> {
    const session = await this.#start();
    try {
      const answer = await session.initialize(0, Buffer.from(JSON.stringify(CHECK)), signal);
      refuseBadAnswer(answer);
    } finally {
      this.#end(session);
    }
  }

  async forward(request: UpstreamRequest): Promise<UpstreamResponse> {
    if (request.method === 'POST') return this.#post(request);
    return request.method === 'GET' ? this.#get(request) : this.#delete(request);
  }

  onEvent(listener: (event: UpstreamEvent) => void): () => void {
    return this.#events.on(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const session of this.#sessions.values()) this.#end(session);
    // What was being started when it closed ends on arrival.
    while (this.#starting.size + this.#ending.size > 0) await Promise.allSettled([...this.#starting, ...this.#ending]);
    if (this.#ownsGuardian) await this.#guardian.close();
  }

  async #post(request: UpstreamRequest): Promise<UpstreamResponse> {
    const { headers, messages, sessionId } = request;
    if (!/^application\/json\s*(?:;|$)/i.test(headers['content-type'] ?? '')) return refuse.contentType();
    if (!accepts(headers, 'application/json') || !accepts(headers, 'text/event-stream')) return refuse.acceptPost();
    if (!knowsVersion(headers)) return refuse.protocolVersion();

    const initialize = messages.find((message) => message.kind === 'request' && message.method === 'initialize');
    if (initialize?.kind === 'request') {
      // A stale session id beside it is normal: the agent begins anew.
      return messages.length > 1 ? refuse.initializeInBatch() : this.#initialize(initialize.id, request);
    }
    if (sessionId === undefined) return refuse.noSession();
    const session = this.#sessions.get(sessionId);
    if (!session) return refuse.unknownSession();
    return session.post(request, (headers['mcp-protocol-version'] ?? '') >= PRIMING_SINCE);
  }

  async #initialize(id: RpcId, { body, signal }: UpstreamRequest): Promise<UpstreamResponse> {
    if (!this.#makeRoom()) return refuse.tooManySessions(this.#limits.maxSessions, id);
    const session = await this.#start();
    try {
      const answer = await session.initialize(id, body ?? Buffer.alloc(0), signal);
      if (isFailure(answer)) {
        this.#end(session); // Refused: there is no session, and the agent reads why.
        return jsonAnswer(200, answer);
      }
      return jsonAnswer(200, answer, { 'mcp-session-id': session.id });
    } catch (error) {
      this.#end(session);
      throw error;
    }
  }

  #get({ headers, sessionId }: UpstreamRequest): UpstreamResponse {
    if (!accepts(headers, 'text/event-stream')) return refuse.acceptGet();
    if (sessionId === undefined) return refuse.noStream();
    const session = this.#sessions.get(sessionId);
    if (!session) return refuse.unknownSession();
    if (!knowsVersion(headers)) return refuse.protocolVersion();
    return session.openStream(headers['last-event-id'] || undefined);
  }

  #delete({ headers, sessionId }: UpstreamRequest): UpstreamResponse {
    if (sessionId === undefined) return refuse.noSession();
    const session = this.#sessions.get(sessionId);
    if (!session) return refuse.unknownSession();
    if (!knowsVersion(headers)) return refuse.protocolVersion();
    this.#end(session);
    return ended();
  }

  async #start(): Promise<StdioSession> {
    const starting = this.#startSession();
    this.#starting.add(starting);
    try {
      return await starting;
    } finally {
      this.#starting.delete(starting);
    }
  }

  async #startSession(): Promise<StdioSession> {
    if (this.#closed) throw new TunnelError('CLOSED', 'the tunnel to this server is closed');
    const process = await this.#open();
    const session: StdioSession = new StdioSession({
      id: randomUUID(),
      process,
      clock: this.#clock,
      limits: this.#limits,
      emit: (event) => this.#events.emit(event),
      onOver: () => this.#end(session),
    });
    this.#sessions.set(session.id, session);
    if (!this.#closed) return session;
    this.#end(session);
    throw new TunnelError('CLOSED', 'the tunnel to this server is closed');
  }

  /** Forgets the session at once; its processes are waited for by `close`. */
  #end(session: StdioSession): void {
    if (!this.#sessions.delete(session.id)) return;
    const ending = session.end();
    this.#ending.add(ending);
    void ending.finally(() => this.#ending.delete(ending));
  }

  /** For one more session, the one idle for longest has to go where there are too many. */
  #makeRoom(): boolean {
    if (this.#sessions.size + this.#starting.size < this.#limits.maxSessions) return true;
    let oldest: StdioSession | undefined;
    for (const session of this.#sessions.values()) {
      const { idleSinceMs } = session;
      if (idleSinceMs !== undefined && idleSinceMs < (oldest?.idleSinceMs ?? Infinity)) oldest = session;
    }
    if (!oldest) return false;
    this.#end(oldest);
    return true;
  }
}

const CHECK = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'mcp-tunnel', version: '0' } },
};

function refuseBadAnswer(answer: Uint8Array): void {
  const { result, error } = parsed(answer);
  if (isJsonObject(result) && typeof result['protocolVersion'] === 'string') return;
  const message =
    isJsonObject(error) && typeof error['message'] === 'string' ? `: ${error['message'].slice(0, 200)}` : '';
  throw new TunnelError('UPSTREAM_PROTOCOL', `the server did not accept initialize${message}`);
}

function isFailure(answer: Uint8Array): boolean {
  return parsed(answer)['error'] !== undefined;
}

/** An answer that was parsed before: it is an object. */
function parsed(answer: Uint8Array): { [key: string]: JsonValue } {
  return JSON.parse(Buffer.from(answer).toString('utf8')) as { [key: string]: JsonValue };
}

function knowsVersion(headers: Record<string, string>): boolean {
  const version = headers['mcp-protocol-version'];
  return version === undefined || VERSIONS.has(version);
}

/** Media ranges count (RFC 9110 §12.5.1); a missing header does not: SDK servers refuse it, and so agents send one. */
function accepts(headers: Record<string, string>, type: string): boolean {
  const ranges = (headers['accept'] ?? '').split(',').map((range) => range.split(';', 1)[0]!.trim().toLowerCase());
  return ranges.includes(type) || ranges.includes('*/*') || ranges.includes(`${type.split('/', 1)[0]}/*`);
}
