// The one conversation with the helper. It is started by the first request, started again after a crash (RestartBudget),
// and ended with the window by closing its stdin. A request that comes while it restarts waits for it.
import { delay, type Clock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { errorInfo, TunnelError } from '../core/errors.ts';
import {
  controlVersion,
  type AuditHead,
  type DriverContract,
  type HelperContract,
  type EditorProxy,
  type HelperRequests,
} from '../protocol/control.ts';
import { Peer } from '../protocol/peer.ts';
import type { Port } from '../protocol/port.ts';
import { RestartBudget } from './restartBudget.ts';
import type { HelperEvent, HelperState } from './store.ts';

/** What the helper exits with when its runtime lacks what it needs (P-256, Ed25519, TLS 1.3, HTTP/2). */
export const unfitRuntimeExitCode = 70;

/** The editor's own Node, or the `node` found on PATH. */
export type Runtime = 'editor' | 'path';

export type HelperChild = {
  port: Port;
  /** Exit code; `null` after a signal or when it never started. */
  exited: Promise<number | null>;
  kill(): void;
};

export type HelperLinkOptions = {
  /** Throws a `TunnelError` when there is nothing to start. */
  spawn: (runtime: Runtime) => HelperChild;
  /** What `hello` says of the window. */
  window: () => { trusted: boolean; folders: string[] };
  clock: Clock;
  log: (level: 'debug' | 'info' | 'warn' | 'error', message: string) => void;
};

const helloTimeoutMs = 20_000;
/** How long a helper may take to close its tunnels before it is killed. */
const closeTimeoutMs = 3_000;

type Session = { peer: Peer<DriverContract, HelperContract>; child: HelperChild };

export class HelperLink {
  readonly #options: HelperLinkOptions;
  readonly #budget = new RestartBudget();
  readonly #closing = new AbortController();
  readonly #events = new Emitter<HelperEvent>();
  readonly #started = new Emitter<void>();
  readonly #serversChanged = new Emitter<void>();
  readonly #auditHead = new Emitter<AuditHead>();
  readonly #trafficChanged = new Emitter<{ head: number }>();
  readonly onEvent = this.#events.on;
  /** After every start, when the helper has greeted. */
  readonly onStarted = this.#started.on;
  readonly onServersChanged = this.#serversChanged.on;
  /** The newest head of the log that the helper writes. */
  readonly onAuditHead = this.#auditHead.on;
  readonly onTrafficChanged = this.#trafficChanged.on;
  #runtime: Runtime = 'editor';
  #session: Promise<Session> | undefined;
  #live: Session | undefined;
  #starting: HelperChild | undefined;
  #failed: TunnelError | undefined;

  constructor(options: HelperLinkOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#live !== undefined;
  }

  /** Starts the helper when it is not there. Rejects with what the helper answered, or why it cannot run. */
  async request<M extends keyof HelperRequests>(
    method: M,
    params: HelperRequests[M]['params'],
    signal?: AbortSignal,
  ): Promise<HelperRequests[M]['result']> {
    const session = await this.#ensure();
    return session.peer.request(method, params, signal);
  }

  /** Never starts the helper: one that is not there hears of it in `hello`. */
  notifyTrust(trusted: boolean): void {
    this.#live?.peer.notify('trust/changed', { trusted });
  }

  /** What it is from the next dial on. */
  notifyProxy(proxy: EditorProxy): void {
    this.#live?.peer.notify('proxy/changed', proxy);
  }

  /** Passes on what was learnt from an answer, in the order of the helper's own events. */
  report(event: HelperEvent): void {
    this.#events.emit(event);
  }

  /** A person asks for it: the budget starts anew. One that is starting already is waited for. */
  async restart(): Promise<void> {
    this.#budget.reset();
    this.#failed = undefined;
    await this.#endLive();
    await this.#ensure();
  }

  async close(): Promise<void> {
    this.#closing.abort(new TunnelError('CLOSED', 'the window is closing'));
    this.#starting?.kill();
    await this.#starting?.exited;
    await this.#endLive();
  }

  #ensure(): Promise<Session> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closing.signal.reason as Error);
    if (this.#failed) return Promise.reject(this.#failed);
    this.#session ??= this.#start();
    return this.#session;
  }

  async #start(): Promise<Session> {
    this.#show({ kind: 'starting' });
    let session: Session;
    try {
      const child = this.#options.spawn(this.#runtime);
      this.#starting = child;
      session = { child, peer: this.#listen(child) };
    } catch (error) {
      throw this.#fail(error);
    }
    try {
      const hello = await this.#greet(session);
      this.#closing.signal.throwIfAborted();
      this.#live = session;
      this.#starting = undefined;
      void session.child.exited.then((code) => this.#ended(session, code));
      this.#show({ kind: 'running', product: hello.product, pid: hello.pid });
    } catch (error) {
      session.child.kill();
      const code = await session.child.exited;
      this.#starting = undefined;
      if (code === unfitRuntimeExitCode && this.#runtime === 'editor') {
        this.#options.log('warn', 'the editor’s runtime is not fit for the helper; trying node from PATH');
        this.#runtime = 'path';
        return this.#start();
      }
      if (error instanceof TunnelError && error.code === 'CONFLICT') throw this.#fail(error);
      this.#restartLater(code);
      throw new TunnelError('CLOSED', `the helper ended while it was starting${exitText(code)}`, { cause: error });
    }
    this.#started.emit();
    return session;
  }

  #listen(child: HelperChild): Session['peer'] {
    const peer = new Peer<DriverContract, HelperContract>(child.port);
    peer.on('tunnels/changed', ({ tunnels }) => this.#events.emit({ kind: 'tunnels', tunnels }));
    peer.on('grants/changed', ({ grants }) => this.#events.emit({ kind: 'grants', grants }));
    peer.on('holds/changed', (holds) => this.#events.emit({ kind: 'holds', holds }));
    peer.on('audit/head', ({ head }) => this.#auditHead.emit(head));
    peer.on('servers/changed', () => this.#serversChanged.emit());
    peer.on('traffic/changed', (hint) => this.#trafficChanged.emit(hint));
    peer.on('log', ({ level, message }) => this.#options.log(level, message));
    return peer.start();
  }

  async #greet({ peer }: Session): Promise<HelperRequests['hello']['result']> {
    const slow = new AbortController();
    const timer = this.#options.clock.after(helloTimeoutMs, () => slow.abort());
    try {
      const hello = await peer.request('hello', { version: controlVersion, ...this.#options.window() }, slow.signal);
      if (hello.version === controlVersion) return hello;
      const versions = `${hello.version} instead of ${controlVersion}`;
      throw new TunnelError('CONFLICT', `the helper speaks version ${versions} of the protocol; reinstall MCP Tunnel`);
    } finally {
      timer.cancel();
    }
  }

  #ended(session: Session, code: number | null): void {
    if (this.#live !== session) return; // It was asked to end.
    this.#live = undefined;
    this.#options.log('error', `the helper ended unexpectedly${exitText(code)}`);
    this.#restartLater(code);
  }

  #restartLater(code: number | null): void {
    if (this.#closing.signal.aborted) return;
    const nowMs = this.#options.clock.now();
    const delayMs = this.#budget.next(nowMs);
    if (delayMs === undefined) {
      this.#fail(new TunnelError('CLOSED', `the helper keeps ending${exitText(code)} and is not started again`));
      return;
    }
    this.#show({ kind: 'restarting', atMs: nowMs + delayMs });
    this.#session = delay(this.#options.clock, delayMs, this.#closing.signal).then(() => this.#start());
    this.#session.catch(() => {}); // Shown as the helper's state; whoever waits for it hears of it too.
  }

  #fail(error: unknown): TunnelError {
    const info = errorInfo(error);
    this.#failed = error instanceof TunnelError ? error : new TunnelError(info.code, info.message, { cause: error });
    this.#session = undefined;
    this.#options.log('error', info.message);
    this.#show({ kind: 'failed', error: info });
    return this.#failed;
  }

  async #endLive(): Promise<void> {
    const session = this.#live;
    if (!session) return;
    this.#live = undefined;
    this.#session = undefined;
    session.peer.close();
    const timer = this.#options.clock.after(closeTimeoutMs, () => session.child.kill());
    await session.child.exited;
    timer.cancel();
    this.#show({ kind: 'stopped' });
  }

  #show(state: HelperState): void {
    this.#events.emit({ kind: 'helper', state });
  }
}

/** Without a code a signal ended it, or it never started: the log says which. */
function exitText(code: number | null): string {
  return code === null ? '' : ` with exit code ${code}`;
}
