// One server for all sessions (`shared` isolation): their ids are made unique, and what the server says goes to the
// session it is about. It is never guessed across principals: what could be another one's goes to nobody.
import type { TimerHandle } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { RpcId, RpcMessage } from '../mcp/message.ts';
import { rpcCode, rpcErrorText } from '../mcp/rpcErrors.ts';
import type { ChildAnswer, ChildMessage, ChildNotification, ChildRequest } from './childMessage.ts';
import { Greeting } from './greeting.ts';
import { cancellation, IdTable, lentCancellation, restoredAnswer, restoredProgress } from './idTable.ts';
import { splice, textAt } from './jsonSplice.ts';
import { ServerLife, type ServerLifeOptions } from './serverLife.ts';
import { maxWaitingRequests, ServerRequestIds } from './serverRequestIds.ts';
import type { Initialised, OpenSessionServer } from './sessionServer.ts';
import { SharedLane } from './sharedLane.ts';
import { disagreement, type Agreement } from './sharedAgreement.ts';

type Request = RpcMessage & { kind: 'request' };

export type SharedServerOptions = Pick<ServerLifeOptions, 'open' | 'clock' | 'random' | 'limits' | 'emit'>;

export class SharedServer {
  readonly #options: SharedServerOptions;
  readonly #lanes = new Set<SharedLane>();
  /** `undefined` asks for nobody: a subscription that is held no longer is given back. */
  readonly #ids = new IdTable<SharedLane | undefined>();
  /** Whom the server asked what. */
  readonly #asked = new Map<RpcId, SharedLane>();
  #requestIds = new ServerRequestIds();
  #greeting = new Greeting();
  #life: ServerLife | undefined;
  #beginning: Promise<Agreement | undefined> | undefined;
  #isInitialized = false;
  #idle: TimerHandle | undefined;

  constructor(options: SharedServerOptions) {
    this.#options = options;
  }

  /** A session's share; the process starts with the first `initialize`. */
  readonly open: OpenSessionServer = ({ principal }, events) => {
    this.#idle?.cancel();
    const lane: SharedLane = new SharedLane(this, principal, events);
    this.#lanes.add(lane);
    return Promise.resolve(lane);
  };

  get hasRoom(): boolean {
    return this.#life?.hasRoom ?? true;
  }

  restart(why: string): void {
    this.#life?.restart(why);
  }

  /** The first one begins it; whoever comes later is answered from what was agreed on then, or refused with the reason. */
  async initialize(lane: SharedLane, request: Request, body: Uint8Array, signal: AbortSignal): Promise<Initialised> {
    for (;;) {
      if (!this.#beginning) return this.#begin(lane, request, body, signal);
      const agreement = await this.#beginning;
      if (signal.aborted) throw new TunnelError('CANCELLED', 'the agent left during initialize');
      if (!agreement) continue; // Whoever began it was refused, or left: now it is this one's turn.
      const why = disagreement(agreement, request);
      if (why !== undefined) {
        return { bytes: Buffer.from(rpcErrorText(request.id, rpcCode.invalidParams, why)), failed: true };
      }
      const value = textAt(body, ['id']) ?? JSON.stringify(request.id);
      return { bytes: splice(agreement.answer, [{ path: ['id'], value }]), failed: false };
    }
  }

  async #begin(lane: SharedLane, request: Request, body: Uint8Array, signal: AbortSignal): Promise<Initialised> {
    let settle!: (agreement: Agreement | undefined) => void;
    const beginning = new Promise<Agreement | undefined>((resolve) => (settle = resolve));
    this.#beginning = beginning;
    const life = this.#newLife();
    const [lent, bytes] = this.#ids.lend(lane, request, body);
    try {
      await life.start();
      const answer = await life.initialize(lent.id, bytes, signal);
      const restored = restoredAnswer(lent, answer.bytes);
      if (answer.code !== undefined) return { bytes: restored, failed: true };
      this.#greeting.began(lent.id, bytes, answer);
      life.endure();
      settle({ request, answer: answer.bytes, result: answer.result });
      return { bytes: restored, failed: false };
    } finally {
      this.#ids.forget(lent);
      settle(undefined); // Of no effect after it was agreed.
      if (this.#beginning === beginning && (await beginning) === undefined) this.#forgetLife(life);
    }
  }

  /** The first time counts: to the server it is one connection. */
  initialized(message: RpcMessage, bytes: Uint8Array): void {
    if (this.#isInitialized) return;
    this.#isInitialized = true;
    this.#greeting.sent(message, bytes);
    this.say(bytes);
  }

  ask(lane: SharedLane | undefined, request: Request, bytes: Uint8Array, overdue?: () => void): void {
    const [lent, asked] = this.#ids.lend(lane, request, bytes);
    this.#greeting.sent(request, asked, lent.id);
    const forget = (): void => {
      this.#ids.forget(lent);
      overdue?.();
    };
    this.#life?.send(asked, overdue && forget);
  }

  say(bytes: Uint8Array): void {
    this.#life?.send(bytes);
  }

  /** An answer to what the server asked of this very session. */
  answer(lane: SharedLane, message: RpcMessage & { kind: 'result' | 'error' }, bytes: Uint8Array): void {
    if (message.id === null || this.#asked.get(message.id) !== lane) {
      return this.#noise('an answer to what this session was not asked was dropped');
    }
    this.#asked.delete(message.id);
    const said = this.#requestIds.toServer(message, bytes);
    if (said) this.say(said);
  }

  /** Its agent waits no more. The server may never answer, and then it would count as running for ever. */
  withdraw(lane: SharedLane, id: RpcId, bytes: Uint8Array): void {
    const lent = this.#ids.find(lane, id);
    if (!lent) return;
    this.#ids.forget(lent);
    this.say(lentCancellation(lent, bytes));
  }

  /** What all sessions want to hear of; the server knows but one. */
  get lanes(): ReadonlySet<SharedLane> {
    return this.#lanes;
  }

  /** The session is over: its calls are withdrawn, and what it was asked is answered. */
  leave(lane: SharedLane): void {
    if (!this.#lanes.delete(lane)) return;
    for (const lent of this.#ids.open) {
      if (lent.owner !== lane) continue;
      this.#ids.forget(lent);
      this.say(cancellation(lent, 'the session was ended'));
    }
    for (const [id, asked] of this.#asked) {
      if (asked !== lane) continue;
      const error = { id, code: rpcCode.upstreamUnavailable, message: 'the agent has left' };
      const text = rpcErrorText(error.id, error.code, error.message);
      this.answer(lane, { kind: 'error', id, error }, Buffer.from(text));
    }
    if (this.#lanes.size > 0) return;
    const { clock, limits } = this.#options;
    this.#idle = clock.after(limits.idleMs, () => void this.end());
  }

  /** Ends it and every share of it. Idempotent; resolves when no process is left. */
  async end(): Promise<void> {
    this.#idle?.cancel();
    const life = this.#life;
    if (life) await life.end();
  }

  #newLife(): ServerLife {
    this.#greeting = new Greeting();
    this.#requestIds = new ServerRequestIds();
    this.#isInitialized = false;
    const life: ServerLife = new ServerLife({
      ...this.#options,
      greet: async (ask, say) => {
        this.#requestIds.renew();
        return this.#greeting.repeat(ask, say);
      },
      onMessage: (message) => this.#fromServer(message),
      onOverlong: (error) => {
        this.#forgetAsked();
        for (const lane of this.#lanes) lane.events.onOverlong(error);
      },
      onInterrupted: (error) => {
        this.#greeting.interrupted();
        this.#forgetAsked();
        for (const lane of this.#lanes) lane.events.onInterrupted(error);
      },
      onResumed: () => {
        const changes = this.#greeting.listChanges();
        for (const lane of this.#lanes) lane.events.onResumed(changes);
      },
      onOver: (error) => {
        this.#forgetLife(life);
        // Those that still wait to begin are told by their own turn.
        for (const lane of this.#lanes) if (lane.isBegun) lane.events.onOver(error);
      },
    });
    this.#life = life;
    return life;
  }

  #forgetLife(life: ServerLife): void {
    if (this.#life !== life) return;
    this.#life = undefined;
    this.#beginning = undefined;
    this.#forgetAsked();
    void life.end();
  }

  /** Nobody will answer, either way. */
  #forgetAsked(): void {
    for (const lent of this.#ids.open) this.#ids.forget(lent);
    this.#asked.clear();
  }

  #fromServer(message: ChildMessage): void {
    if (message.kind === 'answer') return this.#answered(message);
    if (message.kind === 'request') return this.#askedBy(message);
    this.#told(message);
  }

  #answered(message: ChildAnswer): void {
    this.#greeting.answered(message);
    const lent = this.#ids.answered(message.id);
    if (!lent) return this.#noise('an answer to no call was dropped');
    const bytes = restoredAnswer(lent, message.bytes);
    lent.owner?.events.onMessage({ ...message, id: message.id === null ? null : lent.request.id, bytes });
  }

  #askedBy(message: ChildRequest): void {
    if (!this.hasRoom) return this.#noise('a request was dropped: the server does not read what it is sent');
    if (message.method === 'ping') {
      return this.say(Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: {} })));
    }
    const lane = this.#cause();
    if (!lane) {
      const why = 'several agents share this server, and it cannot be told which of them is asked';
      return this.say(Buffer.from(rpcErrorText(message.id, rpcCode.serverError, why)));
    }
    const asked = this.#requestIds.toAgent(message) as ChildRequest;
    this.#asked.delete(asked.id); // An id that is used again is as young as its newest use.
    this.#asked.set(asked.id, lane);
    if (this.#asked.size > maxWaitingRequests) this.#asked.delete(this.#asked.keys().next().value!);
    lane.events.onMessage(asked);
  }

  #told(message: ChildNotification): void {
    const { method, params, progressToken } = message;
    if (progressToken !== undefined) {
      const lent = this.#ids.ofToken(progressToken);
      if (!lent?.owner || !this.#lanes.has(lent.owner)) return this.#noise('progress of no call was dropped');
      const token = JSON.parse(lent.tokenText ?? 'null') as RpcId;
      return lent.owner.events.onMessage({
        ...message,
        progressToken: token,
        bytes: restoredProgress(lent, message.bytes),
      });
    }
    if (method.endsWith('/list_changed')) {
      for (const lane of this.#lanes) lane.events.onMessage(message);
      return;
    }
    if (method === 'notifications/resources/updated') {
      for (const lane of this.#lanes) if (lane.isSubscribedTo(params['uri'])) lane.events.onMessage(message);
      return;
    }
    const told = this.#requestIds.toAgent(message);
    const lane = method === 'notifications/cancelled' ? this.#askedUnder(told) : this.#cause();
    if (!lane) return this.#noise(`a notification (${method}) was dropped: it cannot be told whose it is`);
    if (method !== 'notifications/message' || lane.wantsLevel(params['level'])) lane.events.onMessage(told);
  }

  #askedUnder(cancelled: ChildMessage): SharedLane | undefined {
    const text = textAt(cancelled.bytes, ['params', 'requestId']);
    return text === undefined ? undefined : this.#asked.get(JSON.parse(text) as RpcId);
  }

  /** The session that what the server says comes from: whose call runs; else whose it can only be. */
  #cause(): SharedLane | undefined {
    const running = [...this.#ids.open].flatMap(({ owner }) => owner ?? []);
    const candidates = running.length > 0 ? running : [...this.#lanes].filter(({ isBegun }) => isBegun);
    const principals = new Set(candidates.map(({ principal }) => principal));
    return principals.size === 1 ? candidates.at(-1) : undefined;
  }

  #noise(line: string): void {
    this.#options.emit({ kind: 'noise', line: `(${line})` });
  }
}
