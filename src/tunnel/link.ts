// One link to an edge, from the dial to its end: TLS, the control conversation, the claim of the tunnel's name. It does
// not come back by itself; the connector, which holds several, opens another in its place.
import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import { isJsonObject } from '../core/json.ts';
import type { RenewedCertificate, RouteClaim, RouteClaimed } from '../protocol/edge.ts';
import { openConnectorLink } from '../wire/framings.ts';
import type { ConnectorLink, ConnectorPeer, StreamHead } from '../wire/link.ts';
import { edgeRefusal } from './edgeRefusal.ts';

/** How long the edge may take, once TLS stands, to give us the name. */
export const claimMs = 10_000;
/** How often a link that is to end is looked at for visitors. */
const retireCheckMs = 100;

export type LinkOptions = {
  claim: RouteClaim;
  dial: (signal: AbortSignal) => Promise<TLSSocket>;
  /** A visitor; `leaving` is aborted when its link is about to end and it should finish. */
  onStream: (stream: Duplex, head: StreamHead, leaving: AbortSignal) => void;
  clock: Clock;
};

/** The edge means to end this link: how long its visitors have. */
export type Drain = { withinMs: number };

export class Link {
  /** As the edge knows it among the links of its run. */
  readonly id = randomUUID();
  readonly sinceMs: number;
  readonly #options: LinkOptions;
  readonly #socket: TLSSocket;
  readonly #session: ConnectorLink;
  readonly #leaving: AbortController;
  #control: ConnectorPeer | undefined;
  #claimed: RouteClaimed | undefined;
  #drain: Drain | undefined;
  #retiring: Promise<void> | undefined;
  #isProbed = false;
  #onDrain: ((drain: Drain) => void) | undefined;

  /** Tried once. Throws what `dial` throws, a refusal of the edge's, or `CANCELLED`; nothing stays open then. */
  static async open(options: LinkOptions, signal: AbortSignal): Promise<Link> {
    const socket = await options.dial(signal).catch((error: unknown) => {
      throw signal.aborted ? givenUp() : error;
    });
    if (socket.destroyed) throw new TunnelError('EDGE_UNREACHABLE', 'the edge closed the connection at once');
    const link = new Link(socket, options);
    const giveUp = (): void => void link.close();
    signal.addEventListener('abort', giveUp, { once: true });
    const late = options.clock.after(claimMs, giveUp);
    try {
      signal.throwIfAborted();
      await link.#claim();
      return link;
    } catch (error) {
      await link.close();
      if (signal.aborted) throw givenUp();
      throw error instanceof TunnelError && error.code === 'CLOSED' ? link.#session.reason : error;
    } finally {
      late.cancel();
      signal.removeEventListener('abort', giveUp);
    }
  }

  private constructor(socket: TLSSocket, options: LinkOptions) {
    const leaving = new AbortController();
    this.#options = options;
    this.#socket = socket;
    this.#leaving = leaving;
    this.sinceMs = options.clock.now();
    this.#session = openConnectorLink(socket, {
      clock: options.clock,
      onStream: (stream, head) => options.onStream(stream, head, leaving.signal),
    });
  }

  /** What the edge answered to the claim. */
  get claimed(): RouteClaimed {
    if (!this.#claimed) throw new TunnelError('INTERNAL', 'the link has no name yet');
    return this.#claimed;
  }

  /** Visitors being served. */
  get streams(): number {
    return this.#session.streams;
  }

  onClose(closed: (reason: TunnelError) => void): void {
    this.#session.onClose(closed);
  }

  /** At once where the edge has said so already. */
  onDrain(drain: (drain: Drain) => void): void {
    this.#onDrain = drain;
    if (this.#drain) drain(this.#drain);
  }

  /** Says anew who may come in. Throws a refusal of the edge's, `TIMEOUT`, `CLOSED`; the link stays. */
  async claimAgain(claim: RouteClaim): Promise<void> {
    const late = new AbortController();
    const timer = this.#options.clock.after(claimMs, () => late.abort());
    try {
      const answer = await this.#control?.request('route/claim', { ...claim, link: this.id }, late.signal);
      if (isJsonObject(answer)) this.#claimed = answer;
    } catch (error) {
      if (late.signal.aborted) throw new TunnelError('TIMEOUT', 'the edge did not answer in time');
      throw edgeRefusal(error);
    } finally {
      timer.cancel();
    }
  }

  /** Gives the name up on this link, lets its visitors finish for so long, and ends it. */
  retire(withinMs: number): Promise<void> {
    this.#retiring ??= this.#retire(this.#options.clock.now() + withinMs);
    return this.#retiring;
  }

  /** Ends the link unless the edge gives a sign of life in time: an answer, or any bytes, which may be in front of it. */
  probe(withinMs: number): void {
    if (this.#isProbed || !this.#control) return;
    this.#isProbed = true;
    const control = this.#control;
    const seen = this.#socket.bytesRead;
    const done = (): void => {
      this.#isProbed = false;
      timer.cancel();
    };
    const timer = this.#options.clock.after(withinMs, () => {
      this.#isProbed = false;
      if (this.#socket.bytesRead > seen) this.probe(withinMs);
      else void this.#session.end(new TunnelError('EDGE_UNREACHABLE', 'the edge stopped answering'));
    });
    control
      .request('ping', null)
      .catch(() => {}) // A refusal is a sign of life as well.
      .finally(done);
  }

  /** Throws `CLOSED`, `TIMEOUT` when the signal was first, or the edge's refusal. */
  async renewCertificate(csr: string, signal: AbortSignal): Promise<RenewedCertificate> {
    if (!this.#control) throw new TunnelError('CLOSED', 'the link to the edge is not up yet');
    try {
      return await this.#control.request('certificate/renew', { csr }, signal);
    } catch (error) {
      if (signal.aborted) throw new TunnelError('TIMEOUT', 'the edge did not answer in time');
      throw edgeRefusal(error, 'make a new certificate');
    }
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  async #retire(untilMs: number): Promise<void> {
    const { clock, claim } = this.#options;
    this.#leaving.abort();
    // Until the edge has answered, visitors may be on their way here. It may be gone: they have their time all the same.
    let isReleased = false;
    void this.#control
      ?.request('route/release', { label: claim.label, instance: claim.instance })
      .catch(() => {})
      .finally(() => (isReleased = true));
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if ((isReleased && this.streams === 0) || clock.now() >= untilMs) return resolve();
        timer = clock.after(retireCheckMs, look);
      };
      let timer = clock.after(retireCheckMs, look);
      this.#session.onClose(() => {
        timer.cancel();
        resolve();
      });
    });
    await this.close();
  }

  async #claim(): Promise<void> {
    const { claim } = this.#options;
    const control = await this.#session.control;
    this.#control = control;
    control.on('route/lost', ({ label, error }) => {
      if (label === claim.label) void this.#session.end(edgeRefusal(error));
    });
    control.on('drain', (said) => {
      this.#drain ??= { withinMs: drainTime(said) };
      this.#onDrain?.(this.#drain);
    });
    control.start();
    let answer: unknown;
    try {
      answer = await control.request('route/claim', { ...claim, link: this.id });
    } catch (error) {
      throw edgeRefusal(error);
    }
    if (!isJsonObject(answer))
      throw new TunnelError('EDGE_IDENTITY', 'the edge answered the claim with nothing: is it one?');
    this.#claimed = answer as RouteClaimed;
  }
}

/** An edge that drains has said how long; what it says is not taken for more than this, nor for less than nothing. */
const maxDrainMs = 600_000;

function drainTime(said: unknown): number {
  const withinMs: unknown = (said as { withinMs?: unknown } | undefined)?.withinMs;
  return typeof withinMs === 'number' && withinMs >= 0 ? Math.min(withinMs, maxDrainMs) : maxDrainMs;
}

const givenUp = (): TunnelError => new TunnelError('CANCELLED', 'the connection to the edge was given up');
