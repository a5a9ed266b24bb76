// A server of the older eras that is a handful of lines: sessions, a tool that asks its agent something before it answers,
// and one whose answer has whatever size the test wants. It writes down what it is told.
import { randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { isJsonObject, type JsonObject } from '../../src/core/json.ts';
import type { RpcMessage } from '../../src/mcp/message.ts';
import { accepted, ended, jsonAnswer, refuse } from '../../src/upstream/answers.ts';
import type { Upstream, UpstreamRequest, UpstreamResponse } from '../../src/upstream/upstream.ts';

type Session = { asking: Map<string, { id: string; body: PassThrough }>; stream?: PassThrough };

export class FakeLegacyServer implements Upstream {
  readonly kind = 'http';
  readonly heard: RpcMessage[] = [];
  readonly sessions = new Map<string, Session>();
  /** Text of the tool `big`. */
  big = '';
  /** Questions of the tool `ask`. */
  questions = 1;
  /** Awaited before a request is answered. */
  before: (message: RpcMessage | undefined) => Promise<void> | undefined = () => undefined;
  /** It has become a server that speaks only the modern era. */
  isModern = false;

  async check(): Promise<void> {}

  async forward(request: UpstreamRequest): Promise<UpstreamResponse> {
    const [message] = request.messages;
    if (message) this.heard.push(message);
    await this.before(message);
    if (this.isModern) return this.#modern(message);
    if (message?.kind === 'request' && message.method === 'server/discover') return refuse.noSession();
    if (message?.kind === 'request' && message.method === 'initialize') return this.#initialize(message.id);
    const session = this.sessions.get(request.sessionId ?? '');
    if (!session) return refuse.unknownSession();
    if (request.method === 'DELETE') {
      this.sessions.delete(request.sessionId!);
      return ended();
    }
    if (request.method === 'GET') {
      session.stream = new PassThrough();
      return sse(session.stream);
    }
    if (message?.kind === 'request')
      return this.#call(session, message.id, message.params as JsonObject, message.method);
    if (message?.kind === 'result' || message?.kind === 'error') this.#answered(session, message);
    return accepted();
  }

  onEvent(): () => void {
    return () => {};
  }

  async close(): Promise<void> {}

  /** Calls that it was asked to carry out. */
  get calls(): string[] {
    return this.heard.flatMap((message) =>
      message.kind === 'request' && message.method === 'tools/call'
        ? [JSON.stringify((message.params as JsonObject)['name'])]
        : [],
    );
  }

  /** Says something on the own stream of each session. */
  tell(message: object): void {
    for (const { stream } of this.sessions.values()) stream?.write(event({ jsonrpc: '2.0', ...message }));
  }

  #initialize(id: string | number): UpstreamResponse {
    const session = randomUUID();
    this.sessions.set(session, { asking: new Map() });
    const capabilities = { tools: { listChanged: true }, resources: { subscribe: true, listChanged: true } };
    const result = { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'fake', version: '1' } };
    return jsonAnswer(200, Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, result })), { 'mcp-session-id': session });
  }

  #call(session: Session, id: string | number, params: JsonObject | undefined, method: string): UpstreamResponse {
    const name = params?.['name'];
    if (name !== 'ask') {
      const content = [{ type: 'text', text: name === 'big' ? this.big : method }];
      return jsonAnswer(200, Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, result: { content } })));
    }
    const body = new PassThrough();
    const asked = { mode: 'form', message: 'Name?', requestedSchema: { type: 'object', properties: {} } };
    for (let count = 0; count < this.questions; count += 1) {
      const question = `q-${randomUUID()}`;
      session.asking.set(question, { id: JSON.stringify(id), body });
      body.write(event({ jsonrpc: '2.0', id: question, method: 'elicitation/create', params: asked }));
    }
    return sse(body);
  }

  #answered(session: Session, message: RpcMessage & { kind: 'result' | 'error' }): void {
    const asking = session.asking.get(String(message.id));
    if (!asking) return;
    session.asking.delete(String(message.id));
    const said = message.kind === 'result' ? JSON.stringify(message.result) : message.error.message;
    const result = { content: [{ type: 'text', text: said }] };
    asking.body.end(event({ jsonrpc: '2.0', id: JSON.parse(asking.id) as string, result }));
  }

  #modern(message: RpcMessage | undefined): UpstreamResponse {
    const id = message?.kind === 'request' ? message.id : null;
    const meta = message?.kind === 'request' && isJsonObject(message.params) ? message.params['_meta'] : undefined;
    if (!isJsonObject(meta)) {
      const error = { code: -32022, message: 'Unsupported protocol version', data: { supported: ['2026-07-28'] } };
      return jsonAnswer(400, Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, error })));
    }
    const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {}, content: [] };
    return jsonAnswer(200, Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, result })));
  }
}

function sse(body: PassThrough): UpstreamResponse {
  return { status: 200, headers: { 'content-type': 'text/event-stream' }, body };
}

function event(message: object): string {
  return `data: ${JSON.stringify(message)}\n\n`;
}
