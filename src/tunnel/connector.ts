// One tunnel's standing link to an edge. It dials out, claims the tunnel's name, and hands every visitor on; when the
// link is lost it dials again, with the same name, for as long as trying can help.
import type { TLSSocket } from 'node:tls';
import { Backoff } from '../core/backoff.ts';
import { delay, type Clock, type Random } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { errorInfo, TunnelError, type ErrorCode, type ErrorInfo } from '../core/errors.ts';
import { openConnectorLink } from '../wire/framings.ts';
import type { ConnectorLink, ConnectorLinkOptions } from '../wire/link.ts';
import { edgeRefusal } from './edgeRefusal.ts';

export const redialBaseMs = 500;
export const redialMaxMs = 30_000;
/** A link that lasted so long was a good one: the next loss is dialled again at once. */
export const steadyMs = 10_000;
/** How long a name that another tunnel of this machine holds is asked for again after a loss. */
export const busyPatienceMs = 60_000;
/** How long the edge may take, once TLS stands, to give us the name. */
export const claimMs = 10_000;

/** The same as a carrier's state, which it becomes. */
export type ConnectorState =
  | { kind: 'connecting'; attempt: number }
  | { kind: 'connected'; sinceMs: number }
  | { kind: 'waiting'; retryAtMs: number; attempt: number; error: ErrorInfo }
  | { kind: 'failed'; error: ErrorInfo };

export type Claimed = { hostname: string; port: number };

export type ConnectorOptions = {
  label: string;
  instance: string;
  /** This process's own id; a later one takes the name over from what is left of it. */
  run: string;
  /** `dialEdge`, bound to one edge. */
  dial: (signal: AbortSignal) => Promise<TLSSocket>;
  onStream: ConnectorLinkOptions['onStream'];
  clock: Clock;
  random: Random;
  log: (message: string) => void;
};

/** Losing these is no verdict: what stood in the way may go away by itself, so a tunnel that was up waits for that. */
const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'EDGE_UNREACHABLE',
  'EDGE_IDENTITY',
  'CLOSED',
  'TIMEOUT',
  'INTERNAL',
]);

export class Connector {
  readonly #options: ConnectorOptions;
  readonly #changed = new Emitter<ConnectorState>();
  readonly #stop = new AbortController();
  readonly #backoff: Backoff;
  #state: ConnectorState = { kind: 'connecting', attempt: 1 };
  #session: ConnectorLink | undefined;
  #running: Promise<void> = Promise.resolve();
  #attempt = 1;
  #busySinceMs: number | undefined;

  constructor(options: ConnectorOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ baseMs: redialBaseMs, maxMs: redialMaxMs, random: options.random });
  }

  get state(): ConnectorState {
    return this.#state;
  }

  readonly onState = this.#changed.on;

  /** The first connection; it is tried once, so that a person hears at once what is wrong. Then it stays up by itself. */
  async start(signal: AbortSignal): Promise<Claimed> {
    const either = AbortSignal.any([signal, this.#stop.signal]);
    const { session, claimed } = await this.#connect(either);
    this.#running = this.#stayUp(session);
    return claimed;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#session?.close();
    await this.#running;
  }

  async #stayUp(first: ConnectorLink): Promise<void> {
    for (let session: ConnectorLink | undefined = first; session;) {
      const sinceMs = this.#options.clock.now();
      this.#become({ kind: 'connected', sinceMs });
      const reason = await new Promise<TunnelError>((resolve) => session?.onClose(resolve));
      if (this.#options.clock.now() - sinceMs >= steadyMs) this.#backoff.reset();
      session = await this.#redial(reason);
    }
  }

  /** A new link, or `undefined` when there will be none. */
  async #redial(lost: TunnelError): Promise<ConnectorLink | undefined> {
    const { clock, log } = this.#options;
    let error: unknown = lost;
    this.#attempt = 0;
    while (!this.#stop.signal.aborted) {
      if (!this.#mayRetry(error)) {
        log(`the tunnel ended: ${errorInfo(error).message}`);
        this.#become({ kind: 'failed', error: errorInfo(error) });
        return undefined;
      }
      const waitMs = this.#backoff.next();
      this.#attempt += 1;
      log(`${errorInfo(error).message}; dialling again in ${waitMs} ms`);
      const attempt = this.#attempt;
      this.#become({ kind: 'waiting', retryAtMs: clock.now() + waitMs, attempt, error: errorInfo(error) });
      try {
        await delay(clock, waitMs, this.#stop.signal);
        this.#become({ kind: 'connecting', attempt });
        const { session } = await this.#connect(this.#stop.signal);
        this.#busySinceMs = undefined;
        return session;
      } catch (failure) {
        error = failure;
      }
    }
    return undefined;
  }

  #mayRetry(error: unknown): boolean {
    if (!(error instanceof TunnelError)) return true; // A fault of ours is not the edge's verdict on this tunnel.
    if (error.code !== 'ROUTE_BUSY') return passing.has(error.code);
    if (!error.retryable) return false; // Another process took the name over; two would push each other off for ever.
    this.#busySinceMs ??= this.#options.clock.now();
    return this.#options.clock.now() - this.#busySinceMs < busyPatienceMs;
  }

  async #connect(signal: AbortSignal): Promise<{ session: ConnectorLink; claimed: Claimed }> {
    const { dial, clock, onStream } = this.#options;
    const socket = await dial(signal).catch((error: unknown) => {
      throw signal.aborted ? givenUp() : error;
    });
    if (socket.destroyed) throw new TunnelError('EDGE_UNREACHABLE', 'the edge closed the connection at once');
    const session = openConnectorLink(socket, { clock, onStream });
    this.#session = session;
    const giveUp = (): void => void session.close();
    signal.addEventListener('abort', giveUp, { once: true });
    const late = clock.after(claimMs, giveUp);
    try {
      signal.throwIfAborted();
      return { session, claimed: await this.#claim(session) };
    } catch (error) {
      await session.close();
      if (signal.aborted) throw givenUp();
      throw error instanceof TunnelError && error.code === 'CLOSED' ? session.reason : error;
    } finally {
      late.cancel();
      signal.removeEventListener('abort', giveUp);
    }
  }

  async #claim(session: ConnectorLink): Promise<Claimed> {
    const { label, instance, run } = this.#options;
    const control = await session.control;
    control.on('route/lost', ({ label: lost, error }) => {
      if (lost === label) void session.end(edgeRefusal(error));
    });
    control.start();
    try {
      return await control.request('route/claim', { label, instance, run });
    } catch (error) {
      throw edgeRefusal(error);
    }
  }

  #become(state: ConnectorState): void {
    if (this.#stop.signal.aborted) return;
    this.#state = state;
    this.#changed.emit(state);
  }
}

const givenUp = (): TunnelError => new TunnelError('CANCELLED', 'the connection to the edge was given up');
