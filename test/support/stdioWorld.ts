// A stdio upstream over the fixture server, and requests to it as a gateway makes them.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { SseReader, type SseEvent } from '../../src/core/sse.ts';
import { classifyBody } from '../../src/mcp/classify.ts';
import { StdioUpstream, type StdioUpstreamOptions } from '../../src/upstream/stdioUpstream.ts';
import type { UpstreamEvent, UpstreamRequest, UpstreamResponse } from '../../src/upstream/upstream.ts';
import { until } from './until.ts';

export const fixtureServer = fileURLToPath(new URL('../fixtures/stdioServer.mjs', import.meta.url));

/** What a test may look at without asking first. */
export type Message = {
  id?: string | number | null;
  method?: string;
  params?: { index: number; progress: number; progressToken: string; data: string };
  result?: { [key: string]: unknown };
  error?: { code: number; message: string };
};
export type Answer = { status: number; headers: Record<string, string>; text: string; json: Message };
export type Session = { sessionId: string; pid: number; answer: Answer };
export type World = {
  upstream: StdioUpstream;
  events: UpstreamEvent[];
  open: (request: Partial<UpstreamRequest>) => Promise<UpstreamResponse>;
  get: (sessionId?: string, headers?: Record<string, string>) => Promise<UpstreamResponse>;
  /** A POST whose answer is read by the test. */
  send: (message: object, sessionId: string, headers?: Record<string, string>) => Promise<UpstreamResponse>;
  /** A POST of messages (or of text as it stands), answered whole. */
  post: (message: object | string, sessionId?: string, headers?: Record<string, string>) => Promise<Answer>;
  initialize: (version?: string, as?: { principal?: string; capabilities?: object }) => Promise<Session>;
};

const HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

export function stdioWorld(flags: string[] = [], options: Partial<StdioUpstreamOptions> = {}): World {
  const upstream = new StdioUpstream({
    command: process.execPath,
    args: [fixtureServer, ...flags],
    env: {},
    cwd: process.cwd(),
    ...options,
    // A machine that is busy does not make a stream of what is answered at once.
    limits: { jsonAnswerMs: 30_000, ...options.limits },
  });
  onTestFinished(() => upstream.close());
  const events: UpstreamEvent[] = [];
  upstream.onEvent((event) => events.push(event));

  const open: World['open'] = (request) =>
    upstream.forward({
      method: 'POST',
      messages: [],
      era: 'legacy',
      principal: 'g_1',
      signal: new AbortController().signal,
      ...request,
      headers: { ...HEADERS, ...request.headers },
    });
  /** Whose each session is. */
  const owners = new Map<string, string>();
  const of = (sessionId: string | undefined): Partial<UpstreamRequest> =>
    sessionId === undefined ? {} : { sessionId, principal: owners.get(sessionId) ?? 'g_1' };
  const post: World['post'] = async (message, sessionId, headers = {}) =>
    answerOf(await open({ ...bodyOf(message), ...of(sessionId), headers }));
  const initialize: World['initialize'] = async (protocolVersion = '2025-11-25', as = {}) => {
    const { principal = 'g_1', capabilities = {} } = as;
    const body = bodyOf(request(0, 'initialize', { protocolVersion, capabilities }));
    const answer = await answerOf(await open({ ...body, principal }));
    const sessionId = answer.headers['mcp-session-id'] ?? '';
    owners.set(sessionId, principal);
    return { sessionId, pid: Number(answer.json.result?.['pid']), answer };
  };
  const get: World['get'] = (sessionId, headers = {}) => open({ method: 'GET', ...of(sessionId), headers });
  const send: World['send'] = (message, sessionId, headers = {}) =>
    open({ ...bodyOf(message), ...of(sessionId), headers });
  return { upstream, events, open, get, send, post, initialize };
}

export function request(id: string | number, method: string, params?: object): object {
  return { jsonrpc: '2.0', id, method, ...(params ? { params } : {}) };
}

export function notification(method: string, params?: object): object {
  return { jsonrpc: '2.0', method, ...(params ? { params } : {}) };
}

export function bodyOf(message: object | string): Pick<UpstreamRequest, 'messages'> & { body: Buffer } {
  const body = Buffer.from(typeof message === 'string' ? message : JSON.stringify(message));
  const classified = classifyBody(body);
  if (classified.kind === 'invalid') throw new Error(classified.message);
  return { body, messages: classified.messages };
}

export async function answerOf({ status, headers, body }: UpstreamResponse): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body ?? []) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  const isJson = headers['content-type'] === 'application/json';
  return { status, headers, text, json: (isJson ? JSON.parse(text) : {}) as Message };
}

/** The events of a stream as they come. */
export class EventReader {
  readonly events: SseEvent[] = [];
  readonly #body: NonNullable<UpstreamResponse['body']>;
  isEnded = false;
  error: unknown;

  constructor({ body }: UpstreamResponse) {
    if (!body) throw new Error('there is no stream to read');
    this.#body = body;
    const reader = new SseReader({ maxEventBytes: 100_000_000, onEvent: (event) => this.events.push(event) });
    body.on('data', (chunk: Buffer) => reader.push(chunk));
    body.on('end', () => (this.isEnded = true));
    body.on('error', (error) => (this.error = error));
  }

  /** Parsed messages so far; priming events are none. */
  get messages(): Message[] {
    return this.events.filter(({ data }) => data !== '').map(({ data }) => JSON.parse(data) as Message);
  }

  get lastId(): string {
    return this.events.findLast(({ id }) => id !== undefined)?.id ?? '';
  }

  async has(count: number): Promise<Message[]> {
    await until(
      () => this.messages.length >= count,
      10_000,
      () => `${this.messages.length} of ${count} messages came`,
    );
    return this.messages;
  }

  ended(): Promise<void> {
    return until(() => this.isEnded || this.error !== undefined);
  }

  leave(): void {
    this.#body.destroy();
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch {
    return false;
  }
}

/** Dead, but nobody has asked how it died (the first process of a container often does not). */
function isZombie(pid: number): boolean {
  if (process.platform !== 'linux') return false;
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
}
