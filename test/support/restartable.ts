// An MCP server over HTTP that can be ended and started again on its port, as a developer does all day: its sessions,
// streams and whatever it was doing are gone then. It speaks just enough, and writes down what it hears.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export type Heard = {
  method: string;
  session: string | undefined;
  body: { id?: unknown; method?: string; params?: Record<string, unknown> };
  lastEventId?: string;
};

export type RestartableOptions = {
  /** Ids of its sessions, in order; absent: unique ones. */
  nextId?: () => string;
  version?: () => string;
  /** A call for a session it does not know is answered after this. */
  beforeUnknown?: (heard: Heard) => Promise<void>;
  /** Called instead of the usual answer of a `tools/call`. */
  onCall?: (heard: Heard, response: ServerResponse) => void;
};

export class Restartable {
  readonly heard: Heard[] = [];
  readonly #options: RestartableOptions;
  readonly #sockets = new Set<Socket>();
  readonly #streams = new Map<string, ServerResponse>();
  #sessions = new Set<string>();
  #server: Server | undefined;
  #port = 0;
  #count = 0;

  constructor(options: RestartableOptions = {}) {
    this.#options = options;
    onTestFinished(() => this.stop());
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/mcp`;
  }

  get sessions(): string[] {
    return [...this.#sessions];
  }

  async start(): Promise<this> {
    const server = createServer((request, response) => void this.#serve(request, response));
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  /** As kill -9 does it: connections break, nothing is said. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    this.#sessions = new Set();
    this.#streams.clear();
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  /** As a restart leaves it, without one. */
  forget(): void {
    this.#sessions = new Set();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** As a proxy does it: the connection of a stream breaks, the session stays. */
  cutStream(session: string): void {
    const stream = this.#streams.get(session);
    this.#streams.delete(session);
    stream?.socket?.resetAndDestroy();
  }

  /** Says something on the stream of a session. */
  say(session: string, text: string): void {
    this.#streams.get(session)?.write(text);
  }

  hasStream(session: string): boolean {
    return this.#streams.has(session);
  }

  methods(): string[] {
    return this.heard.map(({ method, body }) => body.method ?? method);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A connection that is reset while nobody uses it is noticed a moment later; until then a request may go into it.
    if (request.method !== 'GET') response.setHeader('connection', 'close');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const body = (text === '' ? {} : JSON.parse(text)) as Heard['body'];
    const session = request.headers['mcp-session-id'] as string | undefined;
    const lastEventId = request.headers['last-event-id'] as string | undefined;
    const heard: Heard = { method: request.method ?? '', session, body, ...(lastEventId ? { lastEventId } : {}) };
    this.heard.push(heard);
    if (body.method === 'initialize') return this.#initialize(heard, response);
    if (session !== undefined && !this.#sessions.has(session)) await this.#options.beforeUnknown?.(heard);
    if (session === undefined || !this.#sessions.has(session))
      return refuse(response, session === undefined ? 400 : 404);
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      this.#streams.set(session, response);
      return;
    }
    if (request.method === 'DELETE') {
      this.#sessions.delete(session);
      return void response.writeHead(200).end();
    }
    if (body.id === undefined) return void response.writeHead(202).end();
    if (body.method === 'tools/call' && this.#options.onCall) return this.#options.onCall(heard, response);
    answer(response, body.id, { echo: body.params ?? {} }, session);
  }

  #initialize({ body }: Heard, response: ServerResponse): void {
    this.#count += 1;
    const id = this.#options.nextId?.() ?? `session-${this.#count}-${Math.random().toString(36).slice(2)}`;
    this.#sessions.add(id);
    const protocolVersion = this.#options.version?.() ?? body.params?.['protocolVersion'];
    const capabilities = { tools: { listChanged: true }, resources: { subscribe: true } };
    answer(response, body.id, { protocolVersion, capabilities, serverInfo: { name: 'restartable', version: '1' } }, id);
  }
}

export function answer(response: ServerResponse, id: unknown, result: object, session: string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': session });
  response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } }));
}
