// A command that speaks MCP over stdio, shown to the gateway as a server of the Streamable HTTP transport
// (≤ 2025-11-25): each MCP session has a process of its own, from `initialize` to DELETE, idleness or its end.
import { randomUUID } from 'node:crypto';
import { systemClock, type Clock, type Random } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { TunnelError } from '../core/errors.ts';
import { failureOf } from '../mcp/failures.ts';
import type { RpcMessage } from '../mcp/message.ts';
import { ended, jsonAnswer, refuse } from './answers.ts';
import { startServer, type ServerCommand } from './childProcess.ts';
import type { OpenPipe } from './messagePipe.ts';
import { isModern, refuseModern } from './modernRules.ts';
import { ModernServer } from './modernServer.ts';
import { OwnServer } from './ownServer.ts';
import { ProcessGuardian } from './processGuardian.ts';
import { roomFor } from './sessionRoom.ts';
import type { OpenSessionServer } from './sessionServer.ts';
import { SharedServer } from './sharedServer.ts';
import { checkStdio } from './stdioCheck.ts';
import { stdioLimits, type StdioLimits } from './stdioLimits.ts';
import { StdioSession } from './stdioSession.ts';
import type { KnownEras, Upstream, UpstreamEvent, UpstreamRequest, UpstreamResponse } from './upstream.ts';

/** Whether each session has a process of its own, or all of them share one. */
export type Isolation = 'perSession' | 'shared';

export type StdioUpstreamOptions = ServerCommand & {
  /** Absent: `perSession`. Agents of the modern era have one for each principal in any case. */
  isolation?: Isolation;
  clock?: Clock;
  random?: Random;
  limits?: Partial<StdioLimits>;
  /** Calls that only read, by the server's own word, are sent again after a restart; off by default. */
  replaysReads?: boolean;
  /** One for all servers of a helper; absent: one of its own. */
  guardian?: ProcessGuardian;
  /** Opens what carries a session's messages; absent: the command is started. */
  open?: OpenPipe;
};

/** Revisions whose transport this front speaks; agents that name none are taken for 2025-03-26. */
const VERSIONS: ReadonlySet<string> = new Set(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']);
/** Ended sessions of which the reason is remembered; the oldest are only unknown. */
const maxRemembered = 256;
const PRIMING_SINCE = '2025-11-25';

export class StdioUpstream implements Upstream {
  readonly kind = 'stdio';
  readonly #options: StdioUpstreamOptions;
  readonly #open: OpenPipe;
  readonly #clock: Clock;
  readonly #limits: StdioLimits;
  readonly #guardian: ProcessGuardian;
  readonly #sessions = new Map<string, StdioSession>();
  readonly #shared: SharedServer | undefined;
  /** By principal: agents of the modern era have no session. */
  readonly #modernServers = new Map<string, ModernServer>();
  /** Sessions that ended by themselves, and what their agents read of it. */
  readonly #gone = new Map<string, string>();
  readonly #starting = new Set<Promise<unknown>>();
  readonly #ending = new Set<Promise<void>>();
  readonly #events = new Emitter<UpstreamEvent>();
  readonly #closing = new AbortController();

  constructor(options: StdioUpstreamOptions) {
    const { command, args, env, cwd } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limits = { ...stdioLimits, ...options.limits };
    this.#guardian = options.guardian ?? new ProcessGuardian();
    this.#open = options.open ?? (() => startServer({ command, args, env, cwd }, this.#guardian, this.#clock));
    this.#shared = options.isolation === 'shared' ? new SharedServer(this.#lifeOptions()) : undefined;
  }

  /** The process it starts is ended again: what an agent negotiates cannot be known before there is one. */
  async check(signal: AbortSignal): Promise<KnownEras> {
    return this.#tracked(
      checkStdio({ ...this.#lifeOptions(), signal: AbortSignal.any([signal, this.#closing.signal]) }),
    );
  }

  async forward(request: UpstreamRequest): Promise<UpstreamResponse> {
    if (isModern(request)) return this.#modern(request);
    if (request.method === 'POST') return this.#post(request);
    return request.method === 'GET' ? this.#get(request) : this.#delete(request);
  }

  onEvent(listener: (event: UpstreamEvent) => void): () => void {
    return this.#events.on(listener);
  }

  /** Ends every process and starts it anew; sessions stay. `why` is for the developer. */
  restart(why: string): void {
    for (const holder of this.#holders) holder.restart(why);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const holder of this.#holders) this.#end(holder);
    // What was being started when it closed ends on arrival.
    await this.#shared?.end();
    while (this.#starting.size + this.#ending.size > 0) await Promise.allSettled([...this.#starting, ...this.#ending]);
    if (this.#options.guardian === undefined) await this.#guardian.close();
  }

  async #modern(request: UpstreamRequest): Promise<UpstreamResponse> {
    const refused = (request.method === 'POST' ? refuseMedia(request.headers) : undefined) ?? refuseModern(request);
    if (refused) return refused;
    const server = this.#modernServers.get(request.principal) ?? this.#addModern(request.principal);
    if (!server) return refuse.tooManySessions(request.messages[0]?.kind === 'request' ? request.messages[0].id : null);
    return this.#tracked(server.post(request));
  }

  async #post(request: UpstreamRequest): Promise<UpstreamResponse> {
    const { headers, messages, sessionId, principal } = request;
    const refused = refuseMedia(headers);
    if (refused) return refused;
    if (!knowsVersion(headers)) return refuse.protocolVersion();

    const initialize = messages.find((message) => message.kind === 'request' && message.method === 'initialize');
    if (initialize?.kind === 'request') {
      // A stale session id beside it is normal: the agent begins anew.
      return messages.length > 1 ? refuse.initializeInBatch() : this.#initialize(initialize, request);
    }
    if (sessionId === undefined) return refuse.noSession();
    const session = this.#find(sessionId, principal);
    if (!session) return refuse.unknownSession(this.#gone.get(sessionId));
    return session.post(request, mayPrime(headers));
  }

  async #initialize(
    initialize: RpcMessage & { kind: 'request' },
    { body = Buffer.alloc(0), signal, principal, mark }: UpstreamRequest,
  ): Promise<UpstreamResponse> {
    if (!this.#makeRoom(principal)) return refuse.tooManySessions(initialize.id);
    if (this.#shared) mark?.('remapped');
    const session = this.#add(principal);
    try {
      await this.#tracked(session.start());
      const { bytes, failed } = await session.initialize(initialize, body, signal);
      if (!failed) return jsonAnswer(200, bytes, { 'mcp-session-id': session.id });
      this.#end(session); // Refused: there is no session, and the agent reads why.
      return jsonAnswer(200, bytes);
    } catch (error) {
      this.#end(session);
      throw error;
    }
  }

  #get({ headers, sessionId, principal, mark }: UpstreamRequest): UpstreamResponse {
    if (!accepts(headers, 'text/event-stream')) return refuse.acceptGet();
    if (sessionId === undefined) return refuse.noStream();
    const session = this.#find(sessionId, principal);
    if (!session) return refuse.unknownSession(this.#gone.get(sessionId));
    if (!knowsVersion(headers)) return refuse.protocolVersion();
    return session.openStream(headers['last-event-id'] || undefined, mayPrime(headers), mark);
  }

  #delete({ headers, sessionId, principal }: UpstreamRequest): UpstreamResponse {
    if (sessionId === undefined) return refuse.noSession();
    const session = this.#find(sessionId, principal);
    if (!session) return refuse.unknownSession(this.#gone.get(sessionId));
    if (!knowsVersion(headers)) return refuse.protocolVersion();
    this.#end(session);
    return ended();
  }

  /** Another principal's session is answered like one that never was. */
  #find(id: string, principal: string): StdioSession | undefined {
    const session = this.#sessions.get(id);
    return session?.principal === principal ? session : undefined;
  }

  #add(principal: string): StdioSession {
    if (this.#closing.signal.aborted) throw new TunnelError('CLOSED', 'the tunnel to this server is closed');
    const session: StdioSession = new StdioSession({
      id: randomUUID(),
      principal,
      open: this.#openServer,
      clock: this.#clock,
      limits: this.#limits,
      replaysReads: this.#options.replaysReads ?? false,
      emit: (event) => this.#events.emit(event),
      onOver: (reason) => {
        this.#remember(session.id, reason);
        this.#end(session);
      },
    });
    this.#sessions.set(session.id, session);
    return session;
  }

  #addModern(principal: string): ModernServer | undefined {
    if (this.#closing.signal.aborted) throw new TunnelError('CLOSED', 'the tunnel to this server is closed');
    if (!this.#makeRoom(principal)) return undefined;
    const server: ModernServer = new ModernServer({
      ...this.#lifeOptions(),
      principal,
      replaysReads: this.#options.replaysReads ?? false,
      onOver: () => this.#end(server),
    });
    this.#modernServers.set(principal, server);
    return server;
  }

  /** Whoever has a process. */
  get #holders(): (StdioSession | ModernServer)[] {
    return [...this.#sessions.values(), ...this.#modernServers.values()];
  }

  readonly #openServer: OpenSessionServer = (session, events) =>
    this.#shared
      ? this.#shared.open(session, events)
      : OwnServer.start({ ...this.#lifeOptions(), sessionId: session.id, events });

  #lifeOptions(): Pick<Parameters<typeof OwnServer.start>[0], 'open' | 'clock' | 'random' | 'limits' | 'emit'> {
    return {
      open: this.#open,
      clock: this.#clock,
      random: this.#options.random ?? Math.random,
      limits: this.#limits,
      emit: (event) => this.#events.emit(event),
    };
  }

  async #tracked<T>(starting: Promise<T>): Promise<T> {
    this.#starting.add(starting);
    try {
      return await starting;
    } finally {
      this.#starting.delete(starting);
    }
  }

  /** Only what its agent should read: that a session was ended or unused says nothing. */
  #remember(id: string, { code, data }: TunnelError): void {
    if (data?.['failure'] === undefined) return;
    this.#gone.set(id, failureOf({ code, data }).sentence);
    if (this.#gone.size > maxRemembered) this.#gone.delete(this.#gone.keys().next().value!);
  }

  /** Forgets it at once; its processes are waited for by `close`. */
  #end(holder: StdioSession | ModernServer): void {
    if (holder instanceof StdioSession) {
      if (!this.#sessions.delete(holder.id)) return;
    } else {
      if (this.#modernServers.get(holder.principal) !== holder) return;
      this.#modernServers.delete(holder.principal);
    }
    const ending = holder.end();
    this.#ending.add(ending);
    void ending.finally(() => this.#ending.delete(ending));
  }

  /** For one more session, one of its own principal has to go, or of whoever has most. */
  #makeRoom(principal: string): boolean {
    const room = roomFor(principal, this.#holders, this.#limits);
    if (room.kind === 'taken') this.#end(room.from);
    return room.kind !== 'none';
  }
}

function refuseMedia(headers: Record<string, string>): UpstreamResponse | undefined {
  if (!/^application\/json\s*(?:;|$)/i.test(headers['content-type'] ?? '')) return refuse.contentType();
  if (accepts(headers, 'application/json') && accepts(headers, 'text/event-stream')) return undefined;
  return refuse.acceptPost();
}

/** Whether the agent's revision knows priming events. */
function mayPrime(headers: Record<string, string>): boolean {
  return (headers['mcp-protocol-version'] ?? '') >= PRIMING_SINCE;
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
