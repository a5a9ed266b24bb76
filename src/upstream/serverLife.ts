// Keeps one server running for whoever talks to it: started, spoken to, started again when it dies or is to be rebuilt,
// and given up when it dies again and again. What is said to it meanwhile waits; what was said before is never repeated.
import { Backoff } from '../core/backoff.ts';
import { delay, type Clock, type Random, type TimerHandle } from '../core/clock.ts';
import { errorInfo, TunnelError } from '../core/errors.ts';
import { failed } from '../mcp/failures.ts';
import type { RpcId } from '../mcp/message.ts';
import type { ChildAnswer, ChildMessage } from './childMessage.ts';
import type { Exit } from './childProcess.ts';
import { LoopWatch } from './loopWatch.ts';
import type { MessagePipe, OpenPipe } from './messagePipe.ts';
import { StdioChild, type LastWords } from './stdioChild.ts';
import type { StdioLimits } from './stdioLimits.ts';
import type { UpstreamEvent } from './upstream.ts';

/** Sends a request and waits for its answer, before anybody else is heard. */
export type Ask = (id: RpcId, bytes: Uint8Array) => Promise<ChildAnswer>;

export type ServerLifeOptions = {
  open: OpenPipe;
  clock: Clock;
  random: Random;
  limits: StdioLimits;
  /** Of the session whose own server it is. */
  sessionId?: string;
  emit: (event: UpstreamEvent) => void;
  /**
   * Tells a new process what the one before was told. Returns why it cannot take that one's place, if so; throws when it
   * does not answer.
   */
  greet: (ask: Ask, say: (bytes: Uint8Array) => void) => Promise<string | undefined>;
  onMessage: (message: ChildMessage) => void;
  onOverlong: (error: TunnelError) => void;
  /** It is gone, and what it was asked will not be answered; it is being started again. */
  onInterrupted: (error: TunnelError) => void;
  onResumed: () => void;
  /** It is gone for good. */
  onOver: (error: TunnelError) => void;
};

/** Said while it was away; the timer is of one who waits for an answer. */
type Held = { bytes: Uint8Array; timer?: TimerHandle };

export class ServerLife {
  readonly #options: ServerLifeOptions;
  readonly #backoff: Backoff;
  readonly #asked = new Map<RpcId, { resolve: (answer: ChildAnswer) => void; reject: (error: Error) => void }>();
  readonly #held = new Set<Held>();
  #heldBytes = 0;
  #child: StdioChild | undefined;
  /** Of which the last words are told. */
  #newest: StdioChild | undefined;
  /** What is spoken to: the child, but not before it was greeted. */
  #isUp = false;
  #endures = false;
  #upSinceMs = 0;
  readonly #loops: LoopWatch;
  #pauses = 0;
  #returning = false;
  #wait = new AbortController();
  readonly #ending = new Set<Promise<void>>();
  #over: TunnelError | undefined;

  constructor(options: ServerLifeOptions) {
    this.#options = options;
    const { restartBaseMs: baseMs, restartMaxMs: maxMs } = options.limits;
    this.#backoff = new Backoff({ baseMs, maxMs, random: options.random });
    this.#loops = new LoopWatch(options.limits);
  }

  get isOver(): boolean {
    return this.#over !== undefined;
  }

  /** Whether what is sent reaches it now; else it waits. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Whether it reads what it is sent, and not too much waits while it is away. */
  get hasRoom(): boolean {
    if (this.#isUp) return this.#child!.hasRoom;
    return this.#heldBytes <= this.#options.limits.maxUnreadInputBytes;
  }

  /** Starts it for the first time. Throws `UPSTREAM_START`. */
  async start(): Promise<void> {
    const pipe = await this.#options.open().catch((cause: unknown) => {
      const { code, message, data } = errorInfo(cause);
      const error = new TunnelError(code, message, { cause, ...(data ? { data } : {}) });
      this.#giveUp(error);
      throw error;
    });
    this.#take(pipe);
    this.#up();
    if (!this.#over) return;
    await this.end();
    throw this.#over; // It was ended while it started: nobody should wait for an answer of it.
  }

  /** From now on it is started again when it ends. */
  endure(): void {
    this.#endures = true;
  }

  /** Sends `initialize` and gives the server's answer as it stands. Throws `UPSTREAM_START`, `CANCELLED`. */
  async initialize(id: RpcId, body: Uint8Array, signal: AbortSignal): Promise<ChildAnswer> {
    const { clock, limits } = this.#options;
    const late = clock.after(limits.startTimeoutMs, () => {
      this.#giveUp(this.#startFailure(`did not answer initialize within ${limits.startTimeoutMs / 1000} s`));
    });
    const leave = (): void => this.#giveUp(new TunnelError('CANCELLED', 'the agent left during initialize'));
    signal.addEventListener('abort', leave, { once: true });
    try {
      const answer = this.#ask(id, body);
      if (signal.aborted) leave();
      return await answer;
    } finally {
      late.cancel();
      signal.removeEventListener('abort', leave);
    }
  }

  /** While it is away this waits; with `overdue` for `awayMs` at most: then that is called, and it is never sent. */
  send(bytes: Uint8Array, overdue?: () => void): void {
    if (this.#over) return; // Whoever waits was told.
    if (this.#isUp) return this.#child!.send(bytes);
    const held: Held = { bytes };
    this.#held.add(held);
    this.#heldBytes += bytes.length;
    if (!overdue) return;
    held.timer = this.#options.clock.after(this.#options.limits.awayMs, () => {
      this.#unhold(held);
      overdue();
    });
  }

  /** Leaves what it writes unread until as many {@link resume} as `pause` were called. */
  pause(): void {
    this.#pauses += 1;
    if (this.#pauses === 1) this.#child?.pause();
  }

  resume(): void {
    this.#pauses -= 1;
    if (this.#pauses === 0) this.#child?.resume();
  }

  /** Ends it and starts it anew, whatever state it is in; `why` is for the developer. */
  restart(why: string): void {
    if (this.#over || !this.#endures) return;
    this.#serves();
    if (this.#isUp) this.#interrupted(new TunnelError('UPSTREAM_EXITED', why));
    else {
      this.#wait.abort();
      if (this.#child) this.#end(this.#child);
    }
  }

  /** Ends it for good. Idempotent; resolves when no process is left. */
  async end(reason = new TunnelError('UPSTREAM_EXITED', 'the session was ended')): Promise<void> {
    this.#giveUp(reason);
    while (this.#ending.size > 0) await Promise.allSettled(this.#ending);
  }

  #take(pipe: MessagePipe): StdioChild {
    const { limits, emit, sessionId } = this.#options;
    const of = sessionId === undefined ? {} : { sessionId };
    const child: StdioChild = new StdioChild(pipe, limits, {
      onMessage: (message) => {
        if (child === this.#child) this.#message(message);
      },
      onNoise: (line) => emit({ kind: 'noise', ...of, line }),
      onStderr: (line) => emit({ kind: 'stderr', ...of, line }),
      onOverlong: (error) => this.#options.onOverlong(error),
      onBabble: () => {
        if (!this.#endures) this.#giveUp(this.#startFailure('prints text that is not MCP'));
        else this.#end(child); // As if it had died.
      },
      onExit: (exit) => {
        emit({ kind: 'exited', ...of, ...exit });
        if (child === this.#child) this.#exited(exit);
      },
    });
    this.#child = child;
    this.#newest = child;
    emit({ kind: 'started', ...of, ...(child.pid === undefined ? {} : { pid: child.pid }) });
    if (this.#pauses > 0) child.pause();
    if (this.#over) this.#end(child); // It came too late.
    return child;
  }

  #message(message: ChildMessage): void {
    if (message.kind === 'answer' && this.#isUp) this.#serves();
    if (message.kind === 'answer' && this.#asked.size > 0) {
      // An error without id answers a message that it could not read: the only one there is.
      const id = message.id ?? this.#asked.keys().next().value!;
      const asked = this.#asked.get(id);
      if (asked) {
        this.#asked.delete(id);
        return asked.resolve(message);
      }
    }
    this.#options.onMessage(message);
  }

  #ask(id: RpcId, bytes: Uint8Array): Promise<ChildAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#over) return reject(this.#over);
      this.#asked.set(id, { resolve, reject });
      this.#child!.send(bytes);
    });
  }

  #exited(exit: Exit): void {
    const wasUp = this.#isUp;
    if (!this.#child!.isEnding && this.#loops.ended(exit)) this.#backoff.reset();
    this.#child = undefined;
    this.#isUp = false;
    if (this.#over) return;
    const how = exit.signal === null ? `ended with code ${exit.code}` : `was ended by ${exit.signal}`;
    if (!this.#endures) return this.#giveUp(this.#startFailure(`${how} before it answered initialize`));
    const error = new TunnelError('UPSTREAM_EXITED', `the server ${how}`, { data: this.#stderr() });
    if (wasUp) this.#interrupted(error);
    else this.#forgetAsked(error); // While it was greeted: `comeBack` tries again.
  }

  #interrupted(error: TunnelError): void {
    const { clock, emit, limits, sessionId, onInterrupted } = this.#options;
    if (clock.now() - this.#upSinceMs >= limits.stableMs) this.#serves();
    this.#isUp = false;
    const child = this.#child;
    this.#child = undefined;
    if (child) this.#end(child);
    emit({ kind: 'away', ...(sessionId === undefined ? {} : { sessionId }), reason: error.message });
    this.#forgetAsked(error);
    onInterrupted(error);
    void this.#comeBack(error);
  }

  /** Until it is up again or given up; nothing of it is thrown. */
  async #comeBack(cause: TunnelError): Promise<void> {
    if (this.#returning) return;
    this.#returning = true;
    const { clock, limits, emit, sessionId } = this.#options;
    const goneMs = clock.now();
    let last = cause.message;
    while (!this.#over && !this.#isUp) {
      const when = this.#loops.next();
      if (when === 'never') {
        this.#giveUp(failed('SERVER_LOOPS', `the server ended ${limits.maxRestarts} times in a row; ${last}`));
        break;
      }
      try {
        this.#wait = new AbortController();
        if (when === 'later') await delay(clock, this.#backoff.next(), this.#wait.signal);
        while (this.#ending.size > 0) await Promise.allSettled(this.#ending); // It may hold a port or a lock.
        if (!this.#over) await this.#again();
      } catch (error) {
        last = errorInfo(error).message;
      }
    }
    this.#returning = false;
    if (!this.#isUp) return;
    emit({ kind: 'returned', ...(sessionId === undefined ? {} : { sessionId }), awayMs: clock.now() - goneMs });
  }

  async #again(): Promise<void> {
    const { clock, limits, open, greet, onResumed } = this.#options;
    const child = this.#take(await open());
    const seconds = limits.startTimeoutMs / 1000;
    const late = clock.after(limits.startTimeoutMs, () => {
      this.#forgetAsked(this.#startFailure(`did not answer initialize within ${seconds} s`));
    });
    try {
      const difference = await greet(
        (id, bytes) => this.#ask(id, bytes),
        (bytes) => child.send(bytes),
      );
      if (difference !== undefined) return this.#giveUp(failed('SERVER_CHANGED', `the server ${difference}`));
      // It may have ended in the same breath.
      if (this.#over || this.#child !== child) throw new TunnelError('UPSTREAM_EXITED', 'the server ended at once');
    } catch (error) {
      if (this.#child === child) this.#child = undefined;
      this.#end(child);
      throw error;
    } finally {
      late.cancel();
    }
    this.#up();
    onResumed();
    for (const held of this.#held) {
      this.#unhold(held);
      this.send(held.bytes);
    }
  }

  #up(): void {
    this.#isUp = this.#child !== undefined;
    this.#upSinceMs = this.#options.clock.now();
  }

  /** Whoever dies after that is not in a loop of dying at its start. */
  #serves(): void {
    this.#loops.served();
    this.#backoff.reset();
  }

  #unhold(held: Held): void {
    held.timer?.cancel();
    if (this.#held.delete(held)) this.#heldBytes -= held.bytes.length;
  }

  #giveUp(reason: TunnelError): void {
    if (this.#over) return;
    this.#over = reason;
    this.#isUp = false;
    for (const held of this.#held) this.#unhold(held);
    this.#wait.abort();
    if (this.#child) this.#end(this.#child);
    this.#forgetAsked(reason);
    this.#options.onOver(reason);
  }

  #end(child: StdioChild): void {
    const ending = child.end();
    this.#ending.add(ending);
    void ending.finally(() => this.#ending.delete(ending));
  }

  #forgetAsked(error: TunnelError): void {
    const waiting = [...this.#asked.values()];
    this.#asked.clear();
    for (const { reject } of waiting) reject(error);
  }

  #startFailure(what: string): TunnelError {
    const { noise, stderr } = this.#lastWords;
    const shown = noise ?? stderr.findLast((line) => /error|cannot|fail|fatal/i.test(line)) ?? stderr.at(-1);
    const words =
      shown === undefined
        ? ''
        : `; ${noise === undefined ? 'its last words' : 'it printed'}: ${shown.trim().slice(0, 200)}`;
    return new TunnelError('UPSTREAM_START', `the server ${what}${words}`, { data: this.#stderr() });
  }

  get #lastWords(): LastWords {
    return this.#newest?.lastWords ?? { stderr: [], noise: undefined };
  }

  #stderr(): { stderr: string[] } {
    return { stderr: this.#lastWords.stderr };
  }
}
