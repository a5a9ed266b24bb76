// One tunnel's standing way to an edge: several links that share the tunnel's name, so that the cut of one touches only
// its own visitors. The first is dialled alone and its refusal told at once; the others follow, one dial at a time, and
// whichever is lost is opened again, for as long as trying can help. The tunnel is connected while any of them is up.
import { randomUUID } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { Admission } from '../core/admission.ts';
import { Backoff } from '../core/backoff.ts';
import type { Clock, Random } from '../core/clock.ts';
import { Emitter, type Unsubscribe } from '../core/emitter.ts';
import { errorInfo, TunnelError, type ErrorInfo } from '../core/errors.ts';
import type { RenewedCertificate, RouteClaim } from '../protocol/edge.ts';
import { Link, type Drain, type LinkOptions } from './link.ts';
import { isOvertaken, isRefusal, mayPass } from './edgeVerdict.ts';
import { Places, type Place } from './places.ts';

/** Waits while no link is up; each is drawn from zero to a ceiling that doubles (full jitter). */
export const redialBaseMs = 500;
export const redialMaxMs = 30_000;
/** Waits for a further link: nobody waits for it, and an edge that restarts must not get all links of all tunnels at once. */
export const furtherBaseMs = 3000;
export const furtherMaxMs = 60_000;
/** At the edge's own bound of links per machine the tunnel goes on with fewer; so long until more are asked for. */
export const limitPauseMs = 300_000;
/** The replacement of a link that the edge means to end comes within this. */
export const replaceMs = 500;
/** A link that lasted so long was a good one: the next loss is dialled again at once. */
export const steadyMs = 10_000;
/** How soon a link must give a sign of life when the network has changed, or the machine has slept. */
export const probeMs = 3000;
/** Links that the edge means to end, for each one that is held; of more the first is ended at once, visitors or not. */
export const maxLeavingPerLink = 4;
/** Lost links that are told of. */
const maxGone = 16;
/** How long a name that another tunnel of this machine holds is asked for again after a loss. */
export const busyPatienceMs = 60_000;

/** The same as a carrier's state, which it becomes. */
export type ConnectorState =
  | { kind: 'connecting'; attempt: number }
  | { kind: 'connected'; sinceMs: number }
  | { kind: 'waiting'; retryAtMs: number; attempt: number; error: ErrorInfo }
  | { kind: 'failed'; error: ErrorInfo };

export type Claimed = { hostname: string; port: number };
export type LinkCount = { up: number; wanted: number };

export type ConnectorOptions = {
  label: string;
  instance: string;
  /** Who may come in at all; absent lets everybody. */
  admission?: Admission | undefined;
  /** Links to hold. */
  wanted: number;
  /** `dialEdge`, bound to one edge; the place is one of the nodes it named, or the edge itself. */
  dial: (signal: AbortSignal, place: Place) => Promise<TLSSocket>;
  onStream: LinkOptions['onStream'];
  /** Tells that the network may be another now, or that the machine has slept. */
  onNetworkChange?: (listener: (what: string) => void) => Unsubscribe;
  clock: Clock;
  random: Random;
  log: (message: string) => void;
};

export class Connector {
  readonly #options: ConnectorOptions;
  readonly #changed = new Emitter<ConnectorState>();
  readonly #counted = new Emitter<LinkCount>();
  readonly #stop = new AbortController();
  readonly #places: Places;
  readonly #backoff: Backoff;
  readonly #further: Backoff;
  /** Links that take visitors, and where each goes. */
  readonly #up = new Map<Link, Place>();
  /** Links that the edge means to end; their visitors finish on them. */
  readonly #leaving = new Map<Link, Drain>();
  #state: ConnectorState = { kind: 'connecting', attempt: 1 };
  /** Links of one run share the name; a new run takes it from what the edge still holds for links that are dead. */
  #run = randomUUID() as string;
  /** Links of this run that were lost, the newest last: the edge is told, in case it has not noticed. */
  #gone: string[] = [];
  #admission: Admission | undefined;
  #changing: Promise<void> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();
  #dialling: AbortController | undefined;
  #unsubscribe: Unsubscribe | undefined;
  /** When the network was last said to be another: soon after that, the first dial comes without a wait. */
  #suspectedMs = -Infinity;
  #wake: () => void = () => {};
  #lost: unknown;
  #attempt = 1;
  /** The first links come without a wait. */
  #pauseMs: number | undefined = 0;
  #isFlapping = false;
  #busySinceMs: number | undefined;

  constructor(options: ConnectorOptions) {
    const { random } = options;
    this.#options = options;
    this.#admission = options.admission;
    this.#places = new Places(random);
    this.#backoff = new Backoff({ baseMs: redialBaseMs, maxMs: redialMaxMs, random });
    this.#further = new Backoff({ baseMs: furtherBaseMs, maxMs: furtherMaxMs, random });
  }

  get state(): ConnectorState {
    return this.#state;
  }

  get links(): LinkCount {
    return { up: this.#up.size, wanted: this.#options.wanted };
  }

  readonly onState = this.#changed.on;
  readonly onLinks = this.#counted.on;

  /** The first connection; it is tried once, so that a person hears at once what is wrong. Then it stays up by itself. */
  async start(signal: AbortSignal): Promise<Claimed> {
    await this.#dial(AbortSignal.any([signal, this.#stop.signal]), undefined);
    const [first] = this.#up.keys();
    if (!first) throw new TunnelError('EDGE_UNREACHABLE', 'the edge closed the link at once');
    this.#unsubscribe = this.#options.onNetworkChange?.((what) => this.#suspect(what));
    this.#running = this.#stayUp();
    return first.claimed;
  }

  /** From now on, and for who is inside. Throws a refusal of the edge's; then everything is as it was. */
  letIn(admission: Admission | undefined): Promise<void> {
    // One after the other: a refusal puts back what was there before it, not what somebody else asks for meanwhile.
    const changed = this.#changing.then(() => this.#letIn(admission));
    this.#changing = changed.catch(() => {}); // Whoever asked hears of it.
    return changed;
  }

  async #letIn(admission: Admission | undefined): Promise<void> {
    const before = this.#admission;
    this.#admission = admission;
    const refusals = await this.#claimAgain();
    if (refusals.length === 0) return;
    this.#admission = before;
    await this.#claimAgain();
    throw refusals[0];
  }

  async close(): Promise<void> {
    this.#unsubscribe?.();
    this.#stop.abort();
    this.#wake();
    await this.#running;
    await Promise.all([...this.#up.keys(), ...this.#leaving.keys()].map((link) => link.close()));
  }

  /** Over any link that is up. Throws `CLOSED` where none is, `TIMEOUT`, or the edge's refusal. */
  async renewCertificate(csr: string, signal: AbortSignal): Promise<RenewedCertificate> {
    const [link] = this.#up.keys();
    if (!link) throw new TunnelError('CLOSED', 'no link to the edge is up');
    return link.renewCertificate(csr, signal);
  }

  get #isOver(): boolean {
    return this.#stop.signal.aborted || this.#state.kind === 'failed';
  }

  /** Nobody is served, nor can be. */
  get #isOut(): boolean {
    return this.#up.size + this.#leaving.size === 0;
  }

  /** Each link was to be replaced once; an edge that ends the new ones as well is met ever more seldom. */
  get #isDrainedTooOften(): boolean {
    return this.#leaving.size > this.#options.wanted;
  }

  async #stayUp(): Promise<void> {
    while (!this.#isOver) {
      if (this.#up.size >= this.#options.wanted) await this.#sleep();
      else if (this.#isOut) await this.#returnToEdge();
      else await this.#addLink();
    }
  }

  /** Nothing is up: one dial at a time, ever later, until one stands. */
  async #returnToEdge(): Promise<void> {
    const { clock, log } = this.#options;
    const error = errorInfo(this.#lost);
    const isUrgent = clock.now() - this.#suspectedMs <= 2 * probeMs;
    const waitMs = isUrgent ? 0 : this.#backoff.next();
    const attempt = (this.#attempt += 1);
    log(`${error.message}; dialling again in ${waitMs} ms`);
    this.#become({ kind: 'waiting', retryAtMs: clock.now() + waitMs, attempt, error });
    await this.#sleep(waitMs);
    if (this.#isOver) return;
    this.#suspectedMs = -Infinity;
    this.#become({ kind: 'connecting', attempt });
    this.#run = randomUUID();
    this.#gone = [];
    const place = this.#places.next([]);
    const failure = await this.#try(place);
    if (failure === undefined) return;
    this.#lost = failure;
    if (place === undefined && !this.#mayRetry(failure)) this.#fail(failure); // A node has no say in that.
  }

  /** One more beside those that are up. */
  async #addLink(): Promise<void> {
    const { random, log } = this.#options;
    const isReplacement = this.#leaving.size > 0 && !this.#isDrainedTooOften && this.#further.attempt === 0;
    const pauseMs = this.#pauseMs ?? (isReplacement ? Math.floor(random() * replaceMs) : this.#further.next());
    await this.#pause(pauseMs);
    if (this.#isOver || this.#isOut) return;
    const place = this.#places.next([...this.#up.values()]);
    const failure = await this.#try(place);
    if (failure === undefined) {
      if (!this.#isFlapping) this.#further.reset();
      if (this.#up.size >= this.#options.wanted) this.#pauseMs = undefined;
      return;
    }
    if (isOvertaken(failure)) return this.#fail(failure);
    const isFull = failure instanceof TunnelError && failure.code === 'LIMIT';
    this.#pauseMs = isFull ? limitPauseMs : undefined;
    const { up, wanted } = this.links;
    log(`${up} of ${wanted} links to the edge are up; another failed: ${errorInfo(failure).message}`);
  }

  /** Whole, whatever happens to other links, unless the network has changed; what is to be replaced shortens it. */
  async #pause(pauseMs: number): Promise<void> {
    const { clock, random } = this.#options;
    const suspectedMs = this.#suspectedMs;
    let untilMs = clock.now() + pauseMs;
    while (!this.#isOver && !this.#isOut && clock.now() < untilMs && this.#suspectedMs === suspectedMs) {
      const leaving = this.#leaving.size;
      await this.#sleep(untilMs - clock.now());
      if (this.#leaving.size <= leaving || this.#isDrainedTooOften) continue;
      untilMs = Math.min(untilMs, clock.now() + Math.floor(random() * replaceMs));
    }
  }

  /** The failure, if it failed; `undefined` as well when the attempt was given up. */
  async #try(place: Place): Promise<unknown> {
    const dialling = new AbortController();
    this.#dialling = dialling;
    const signal = AbortSignal.any([dialling.signal, this.#stop.signal]);
    try {
      await this.#dial(signal, place);
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      this.#places.shun(place);
      return error;
    } finally {
      this.#dialling = undefined;
    }
  }

  async #dial(signal: AbortSignal, place: Place): Promise<void> {
    const { dial, clock, onStream } = this.#options;
    const claim = this.#claim();
    const link = await Link.open({ claim, dial: (until) => dial(until, place), clock, onStream }, signal);
    if (this.#isOver) return link.close();
    // Who may come in was changed meanwhile. A link that has not heard of it must not stay.
    if (claim.admission !== this.#admission) await this.#claimOrClose(link, signal);
    if (this.#isOver) return link.close();
    this.#places.praise(place);
    this.#places.learn(link.claimed.nodes);
    this.#take(link, place);
  }

  async #claimOrClose(link: Link, signal: AbortSignal): Promise<void> {
    const giveUp = (): void => void link.close();
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      let told: RouteClaim;
      do await link.claimAgain((told = this.#claim()));
      while (told.admission !== this.#admission);
    } catch (error) {
      await link.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  #claim(): RouteClaim {
    const { label, instance } = this.#options;
    const gone = this.#gone.length === 0 ? {} : { gone: [...this.#gone] };
    return { label, instance, run: this.#run, ...gone, ...(this.#admission ? { admission: this.#admission } : {}) };
  }

  /** What the edge refused. A link that is lost comes back with the newest claim by itself; so does one that answers neither way. */
  async #claimAgain(): Promise<unknown[]> {
    const refusals: unknown[] = [];
    const claim = async (link: Link): Promise<void> => {
      try {
        await link.claimAgain(this.#claim());
      } catch (error) {
        if (isRefusal(error)) refusals.push(error);
        else await link.close();
      }
    };
    await Promise.all([...this.#up.keys()].map(claim));
    return refusals;
  }

  #take(link: Link, place: Place): void {
    const wasOut = this.#isOut;
    this.#busySinceMs = undefined;
    this.#up.set(link, place);
    link.onClose((reason) => this.#lose(link, reason));
    link.onDrain((drain) => this.#replace(link, drain));
    if (wasOut) this.#become({ kind: 'connected', sinceMs: this.#options.clock.now() });
    this.#count();
    for (const [old, drain] of this.#leaving) void old.retire(drain.withinMs);
  }

  #replace(link: Link, drain: Drain): void {
    if (!this.#up.has(link)) return;
    this.#places.shun(this.#up.get(link));
    this.#up.delete(link);
    this.#leaving.set(link, drain);
    this.#pauseMs ||= undefined; // Else an edge that ends each link at once had us dial without a pause for ever.
    if (this.#isDrainedTooOften) this.#isFlapping = true;
    const [oldest] = this.#leaving.keys();
    if (this.#leaving.size > maxLeavingPerLink * this.#options.wanted) void oldest?.close();
    this.#count();
    this.#wake();
  }

  #lose(link: Link, reason: TunnelError): void {
    const wasUp = this.#up.delete(link);
    this.#leaving.delete(link);
    this.#gone = [...this.#gone, link.id].slice(-maxGone);
    const hasLasted = this.#options.clock.now() - link.sinceMs >= steadyMs;
    if (wasUp) this.#isFlapping = !hasLasted;
    if (wasUp) this.#pauseMs ||= undefined;
    if (this.#isOver) return;
    if (wasUp) this.#count();
    if (wasUp && !this.#mayRetry(reason)) return this.#fail(reason);
    if (this.#isOut) {
      if (hasLasted) this.#backoff.reset();
      this.#attempt = 0;
      this.#lost = reason;
      this.#pauseMs = undefined;
      this.#dialling?.abort();
    }
    this.#wake();
  }

  /** What was waited for or dialled over the old network is begun anew, and what is up must show that it lives. */
  #suspect(what: string): void {
    if (this.#isOver) return;
    this.#options.log(`${what}: looking whether the links to the edge still live`);
    this.#backoff.reset();
    this.#suspectedMs = this.#options.clock.now();
    for (const link of [...this.#up.keys(), ...this.#leaving.keys()]) link.probe(probeMs);
    this.#dialling?.abort();
    this.#wake();
  }

  #mayRetry(error: unknown): boolean {
    if (!(error instanceof TunnelError)) return true; // A fault of ours is not the edge's verdict on this tunnel.
    // A clock may be set right, and a machine enrolled again, while the tunnel waits.
    if (error.code === 'CERTIFICATE_INVALID') return error.retryable;
    if (error.code !== 'ROUTE_BUSY') return mayPass(error);
    if (isOvertaken(error)) return false;
    this.#busySinceMs ??= this.#options.clock.now();
    return this.#options.clock.now() - this.#busySinceMs < busyPatienceMs;
  }

  #fail(error: unknown): void {
    this.#options.log(`the tunnel ended: ${errorInfo(error).message}`);
    this.#become({ kind: 'failed', error: errorInfo(error) });
    this.#dialling?.abort();
    this.#wake();
    for (const link of [...this.#up.keys(), ...this.#leaving.keys()]) void link.close();
  }

  /** Until `ms` are over, or something has changed. */
  #sleep(ms?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : this.#options.clock.after(ms, resolve);
      this.#wake = () => {
        timer?.cancel();
        resolve();
      };
      if (this.#isOver) this.#wake();
    });
  }

  #become(state: ConnectorState): void {
    if (this.#stop.signal.aborted) return;
    this.#state = state;
    this.#changed.emit(state);
  }

  #count(): void {
    if (!this.#stop.signal.aborted) this.#counted.emit(this.links);
  }
}
