// A modern server (2026-07-28), which knows no sessions, shown as what a legacy session talks to: legacy messages come
// in as lines, each request goes out as a self-contained one, and legacy messages come back.
import { PassThrough, Writable } from 'node:stream';
import { once } from 'node:events';
import { delay, type Clock, type Random } from '../../core/clock.ts';
import { errorInfo } from '../../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { LineSplitter } from '../../core/lines.ts';
import { failureOf } from '../../mcp/failures.ts';
import { isId } from '../../mcp/classify.ts';
import { memberText, withMembers } from '../../mcp/jsonEdit.ts';
import type { RpcId } from '../../mcp/message.ts';
import { logLevels } from '../../mcp/revisions.ts';
import { rpcCode, rpcErrorText } from '../../mcp/rpcErrors.ts';
import type { Exit } from '../childProcess.ts';
import type { MessagePipe } from '../messagePipe.ts';
import type { TranslatedForm, Upstream } from '../upstream.ts';
import { legacyError } from './errorForms.ts';
import { initializeResult, modernCapabilities, negotiated } from './handshakes.ts';
import { HttpRefusal } from './httpRefusal.ts';
import { InputFailure, inputLimits, InputRounds } from './inputRounds.ts';
import { ModernConversation, type Outcome } from './modernConversation.ts';
import { modernParams, type Envelope } from './requestForms.ts';
import { legacyResult } from './resultForms.ts';
import { SessionSubscription } from './sessionSubscription.ts';
import { maxTranslatedBytes, type Spoken } from './spoken.ts';

export type ModernServerPipeOptions = {
  upstream: Upstream;
  principal: string;
  clock: Clock;
  random: Random;
  /** Ids for the server's side; never the same twice, whoever asks. */
  nextId: () => string;
  /** What the POST brought whose messages arrive on stdin now. */
  accompanying: () => Accompanying;
  /** The server answered as none of its era does: it may have become another. */
  onStranger: () => void;
};

/** What belongs to one POST of the agent besides its messages. */
export type Accompanying = {
  headers: Record<string, string>;
  note?: ((form: TranslatedForm) => void) | undefined;
  /** The server refused it by HTTP: so is the agent’s POST, where it has no answer yet. */
  onRefused?: (refusal: HttpRefusal) => void;
};

type Running = { method: string; params: string; values: JsonObject; signal: AbortSignal } & Accompanying;

const GONE: ReadonlySet<string> = new Set(['tasks/get', 'tasks/result', 'tasks/list', 'tasks/cancel']);
const ROUNDS: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

export class ModernServerPipe implements MessagePipe {
  readonly stdin: Writable;
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly exited: Promise<Exit>;
  readonly #options: ModernServerPipeOptions;
  readonly #server: ModernConversation;
  readonly #rounds: InputRounds;
  readonly #subscription: SessionSubscription;
  readonly #running = new Map<RpcId, AbortController>();
  readonly #lifetime = new AbortController();
  #envelope: Envelope = { clientCapabilities: '{}' };
  #exit!: (exit: Exit) => void;

  constructor(options: ModernServerPipeOptions) {
    this.#options = options;
    const { clock, random } = options;
    this.#server = new ModernConversation(options.upstream, options.principal);
    this.#rounds = new InputRounds((text) => void this.#write(text), clock);
    this.#subscription = new SessionSubscription({
      clock,
      random,
      listen: (filter, signal, onNotification) =>
        this.#ask(
          'subscriptions/listen',
          `{"notifications":${filter}}`,
          { headers: options.accompanying().headers },
          signal,
          onNotification,
        ),
      onNotification: (text) => this.#write(text),
    });
    this.exited = new Promise((resolve) => (this.#exit = resolve));
    const lines = new LineSplitter({
      maxLineBytes: maxTranslatedBytes,
      onLine: (line) => this.#line(line),
      onOverlong: () => undefined, // The gateway has bounded what an agent may send.
    });
    this.stdin = new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(chunk);
        done();
      },
    });
  }

  async end(): Promise<void> {
    this.#lifetime.abort();
    this.#subscription.close();
    this.stdout.end();
    this.stderr.end();
    this.stdin.destroy();
    this.stdout.resume(); // Nobody reads the rest: an unread end would never come.
    this.stderr.resume();
    this.#exit({ code: 0, signal: null });
  }

  #line(text: string): void {
    const message = JSON.parse(text) as JsonObject; // The gateway has read it before.
    const { id, method } = message;
    if (typeof method !== 'string') {
      this.#rounds.answered({ text, message });
      return;
    }
    const params = memberText(text, 'params') ?? '{}';
    const values = isJsonObject(message['params']) ? message['params'] : {};
    if (!isId(id)) return this.#notified(method, params, values);
    const controller = new AbortController();
    this.#running.set(id, controller);
    const signal = AbortSignal.any([controller.signal, this.#lifetime.signal]);
    const accompanying = this.#options.accompanying();
    this.#serve({ method, params, values, signal, ...accompanying })
      .catch((error: unknown) => {
        if (error instanceof HttpRefusal) accompanying.onRefused?.(error);
        return this.#failureText(error);
      })
      .then(async (answer) => {
        if (this.#running.get(id) === controller) this.#running.delete(id);
        if (!signal.aborted) await this.#write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},${answer}}`);
      })
      .catch(() => undefined); // Its reader is gone.
  }

  #notified(method: string, params: string, values: JsonObject): void {
    if (method === 'notifications/initialized') return this.#subscription.start();
    // Roots are asked for anew with each call that needs them.
    if (method === 'notifications/roots/list_changed') return;
    if (method === 'notifications/cancelled') {
      const { requestId } = values;
      if (isId(requestId)) this.#running.get(requestId)?.abort();
      return;
    }
    const { headers } = this.#options.accompanying();
    const modern = modernParams(params, this.#envelope);
    this.#server.tell(method, modern, headers, this.#lifetime.signal).catch(() => undefined); // Nobody waits for it.
  }

  /** The rest of a JSON-RPC response: `"result":…` or `"error":…`. */
  async #serve(running: Running): Promise<string> {
    const { method, values } = running;
    if (GONE.has(method)) {
      return failure(
        rpcCode.methodNotFound,
        `${method}: the server speaks 2026-07-28, which has no tasks of 2025-11-25`,
      );
    }
    if (isJsonObject(values['task'])) {
      return failure(rpcCode.invalidParams, 'the server speaks 2026-07-28 and cannot run this as a task of 2025-11-25');
    }
    switch (method) {
      case 'initialize':
        return this.#initialize(running);
      case 'ping':
        return result('{}');
      case 'logging/setLevel':
        return this.#setLevel(values['level']);
      case 'resources/subscribe':
        return this.#subscribe(values['uri']);
      case 'resources/unsubscribe':
        if (typeof values['uri'] === 'string') await this.#subscription.remove(values['uri']);
        return result('{}');
      default:
        return this.#forward(running);
    }
  }

  async #initialize({ params, values, signal, ...accompanying }: Running): Promise<string> {
    this.#envelope = {
      clientInfo: memberText(params, 'clientInfo'),
      clientCapabilities: modernCapabilities(memberText(params, 'capabilities') ?? '{}'),
    };
    const outcome = await this.#ask('server/discover', '{}', accompanying, signal);
    if (outcome.kind === 'error') return `"error":${outcome.error}`;
    const initialized = initializeResult(outcome.result, negotiated(values['protocolVersion']));
    const capabilities = JSON.parse(memberText(initialized, 'capabilities') ?? '{}') as JsonValue;
    this.#subscription.learn(isJsonObject(capabilities) ? capabilities : {});
    return result(initialized);
  }

  #setLevel(level: JsonValue | undefined): string {
    if (typeof level !== 'string' || !logLevels.includes(level)) {
      return failure(rpcCode.invalidParams, `params.level must be one of ${logLevels.join(', ')}`);
    }
    this.#envelope = { ...this.#envelope, logLevel: level };
    return result('{}');
  }

  async #subscribe(uri: JsonValue | undefined): Promise<string> {
    if (typeof uri !== 'string') return failure(rpcCode.invalidParams, 'params.uri must be a text');
    const problem = await this.#subscription.add(uri);
    return problem === undefined ? result('{}') : failure(rpcCode.invalidParams, problem);
  }

  async #forward({ method, params, values, signal, ...accompanying }: Running): Promise<string> {
    let asked = params;
    for (let round = 1; ; round += 1) {
      let outcome = await this.#ask(method, asked, accompanying, signal);
      if (this.#server.lacksHeaders(method, values['name'], outcome)) {
        await this.#ask('tools/list', '{}', { headers: accompanying.headers }, signal);
        outcome = await this.#ask(method, asked, accompanying, signal);
      }
      if (outcome.kind === 'error') return `"error":${legacyError(method, values['uri'], outcome.error)}`;
      const kind = memberText(outcome.result, 'resultType');
      if (kind === undefined || kind === '"complete"') return result(legacyResult(method, outcome.result));
      if (kind !== '"input_required"' || !ROUNDS.has(method)) {
        return failure(
          rpcCode.internalError,
          `the server answered with ${kind}, which this agent’s revision does not know`,
        );
      }
      try {
        asked = await this.#nextRound(round, outcome.result, params, signal);
      } catch (error) {
        if (!(error instanceof InputFailure)) throw error;
        return inputFailure(method, error.message);
      }
    }
  }

  /** The parameters of the next request: the call as it was, the agent's answers, and the server's state unchanged. */
  async #nextRound(round: number, asks: string, params: string, signal: AbortSignal): Promise<string> {
    if (round > inputLimits.maxRounds)
      throw new InputFailure(`the server asked more than ${inputLimits.maxRounds} times`);
    const inputRequests = memberText(asks, 'inputRequests');
    const requestState = memberText(asks, 'requestState');
    if (inputRequests === undefined) await delay(this.#options.clock, inputLimits.pauseMs, signal);
    const has = JSON.parse(this.#envelope.clientCapabilities) as JsonValue;
    const inputResponses =
      inputRequests && (await this.#rounds.ask(inputRequests, isJsonObject(has) ? has : {}, signal));
    return withMembers(params, { inputResponses, requestState });
  }

  async #ask(
    method: string,
    params: string,
    { headers, note }: Accompanying,
    signal: AbortSignal,
    onNotification: (spoken: Spoken) => Promise<void> = ({ text }) => this.#write(text),
  ): Promise<Outcome> {
    const outcome = await this.#server.ask({
      id: this.#options.nextId(),
      method,
      params: modernParams(params, this.#envelope),
      headers,
      signal,
      note,
      onNotification,
    });
    if (outcome.kind === 'error' && isStrange(outcome)) this.#options.onStranger();
    return outcome;
  }

  /** One message on a line of its own, at the pace of whoever reads. */
  async #write(text: string): Promise<void> {
    if (!this.stdout.writable) return;
    if (this.stdout.write(`${text.replaceAll(/[\r\n]/g, ' ')}\n`)) return;
    await once(this.stdout, 'drain', { signal: this.#lifetime.signal }).catch(() => undefined); // It was ended.
  }

  #failureText(error: unknown): string {
    const { rpc, sentence } = failureOf(errorInfo(error));
    return failure(rpc, sentence);
  }
}

/** Errors of a modern server have known numbers; a legacy one refuses a request without a session in its own way. */
function isStrange({ error, status }: Extract<Outcome, { kind: 'error' }>): boolean {
  const { code } = JSON.parse(error) as { code?: unknown };
  return status >= 400 && typeof code === 'number' && code <= rpcCode.serverError && code > rpcCode.deniedByPolicy;
}

function result(text: string): string {
  return `"result":${text}`;
}

function failure(code: number, message: string): string {
  return `"error":${memberText(rpcErrorText(null, code, message), 'error')!}`;
}

/** A tool's failure is a result that a model reads; other methods have only errors. */
function inputFailure(method: string, message: string): string {
  if (method !== 'tools/call') return failure(rpcCode.internalError, message);
  return result(JSON.stringify({ content: [{ type: 'text', text: message }], isError: true }));
}
