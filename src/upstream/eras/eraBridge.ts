// Between the gateway and a server that may speak another era than its agent: learns which eras the server speaks, lets
// through untouched what both speak, and has the rest translated. What is let through costs nothing and stays byte for byte.
import { Readable } from 'node:stream';
import { systemClock, type Clock, type Random } from '../../core/clock.ts';
import { TunnelError } from '../../core/errors.ts';
import type { Era } from '../../mcp/message.ts';
import type { KnownEras, Upstream, UpstreamEvent, UpstreamRequest, UpstreamResponse } from '../upstream.ts';
import { LegacyFront } from './legacyFront.ts';
import { ModernFront } from './modernFront.ts';
import { carriedHeaders } from './spoken.ts';
import { speaksLegacy, speaksModern, type AskingFor } from './spokenEras.ts';

/** In whose name the bridge asks a server what it speaks: nobody's. */
const ourselves = 'mcp-tunnel';

/** How long it may take a server to say what it speaks, before it counts as unknown for now. */
export const learnMs = 10_000;

/** A server that refuses requests is asked again what it speaks, but not more often than this. */
export const forgetMs = 2_000;

export type EraBridgeOptions = { upstream: Upstream; clock?: Clock; random?: Random };

export class EraBridge implements Upstream {
  readonly #upstream: Upstream;
  readonly #clock: Clock;
  readonly #legacyAgents: LegacyFront;
  readonly #modernAgents: ModernFront;
  #known: KnownEras = {};
  #learnedMs = -Infinity;
  readonly #learning = new Map<Era, Promise<boolean | undefined>>();
  #closed = false;

  constructor({ upstream, clock = systemClock, random = Math.random }: EraBridgeOptions) {
    this.#upstream = upstream;
    this.#clock = clock;
    const options = { upstream, clock, random, onStranger: () => this.#doubt() };
    this.#legacyAgents = new LegacyFront(options);
    this.#modernAgents = new ModernFront(options);
  }

  get kind(): Upstream['kind'] {
    return this.#upstream.kind;
  }

  async check(signal: AbortSignal): Promise<KnownEras> {
    const known = await this.#upstream.check(signal);
    this.#known = known ? { ...known } : {};
    return this.#known;
  }

  async forward(request: UpstreamRequest): Promise<UpstreamResponse> {
    if (this.#closed) throw new TunnelError('CLOSED', 'the tunnel to this server is closed');
    if (!(await this.#translates(request))) return this.#untouched(request);
    const answer = await this.#translate(request);
    return { ...answer, marks: [...(answer.marks ?? []), 'translated'] };
  }

  onEvent(listener: (event: UpstreamEvent) => void): () => void {
    return this.#upstream.onEvent(listener);
  }

  /** Sessions first: their ends are told to the server. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([this.#legacyAgents.close(), this.#modernAgents.close()]);
    await this.#upstream.close();
  }

  /** Only where the server is known not to speak the agent's era, and known to speak the other. */
  async #translates({ era, headers }: UpstreamRequest): Promise<boolean> {
    if ((await this.#speaks(era, headers)) !== false) return false;
    return (await this.#speaks(era === 'legacy' ? 'modern' : 'legacy', headers)) === true;
  }

  async #speaks(era: Era, headers: Record<string, string>): Promise<boolean | undefined> {
    const known = this.#known[era];
    if (known !== undefined) return known;
    const learning = this.#learning.get(era) ?? this.#learn(era, headers).finally(() => this.#learning.delete(era));
    this.#learning.set(era, learning); // Asked once for all who want to know.
    return learning;
  }

  /** `undefined` where nobody can know now: it wants credentials first, fails, or does not answer. */
  async #learn(era: Era, headers: Record<string, string>): Promise<boolean | undefined> {
    const timeout = new AbortController();
    const timer = this.#clock.after(learnMs, () => timeout.abort());
    const asking = { principal: ourselves, headers: carriedHeaders(headers), signal: timeout.signal };
    try {
      // As its own clients would: what a server answers to `server/discover` may be anything, and means "legacy".
      const modern = this.#known.modern ?? (await speaksModern(this.#upstream, asking));
      if (modern === undefined) return undefined;
      this.#learnedMs = this.#clock.now();
      this.#known.modern = modern;
      if (!modern) this.#known.legacy = true;
      else if (era === 'legacy') {
        const legacy = this.#known.legacy ?? (await this.#asksLegacy(asking));
        if (legacy !== undefined) this.#known.legacy = legacy;
      }
      return this.#known[era];
    } catch {
      return undefined; // The request itself will tell what is wrong with the server.
    } finally {
      timer.cancel();
    }
  }

  /** A process is asked by starting one: in one that is shared, whoever began it has a say in who is refused. */
  async #asksLegacy(asking: AskingFor): Promise<boolean | undefined> {
    if (this.kind === 'http') return speaksLegacy(this.#upstream, asking);
    return (await this.#upstream.check(asking.signal))?.legacy;
  }

  #translate(request: UpstreamRequest): Promise<UpstreamResponse> {
    return request.era === 'legacy' ? this.#legacyAgents.forward(request) : this.#modernAgents.forward(request);
  }

  /** A server that has become another since is asked anew; a handshake, which does nothing, is then tried again. */
  async #untouched(request: UpstreamRequest): Promise<UpstreamResponse> {
    const isHandshake = asksForHandshake(request);
    const answer = await this.#upstream.forward(request);
    if (!isHandshake) {
      // Behind stdio the refusals of requests are our own.
      if (this.kind === 'http' && isRefusal(answer)) this.#doubt();
      return answer;
    }
    const { refused, again } = await readHandshake(answer);
    if (!refused || !this.#doubt() || !(await this.#translates(request))) return again;
    again.body?.destroy();
    return this.forward(request);
  }

  /** What is known may be so no more; whether it is asked again. */
  #doubt(): boolean {
    if (this.#clock.now() - this.#learnedMs < forgetMs) return false;
    this.#known = {};
    return true;
  }
}

/** As a server answers what its era does not know; 404 is how one forgets a session, or lacks a method. */
function isRefusal({ status }: UpstreamResponse): boolean {
  return status === 400 || status === 404 || status === 405 || status === 406 || status === 415;
}

/** Largest answer to a handshake that is read before it is passed on. */
const maxHandshakeBytes = 1024 * 1024;

/** Whether it is refused, and the same answer once more: its bytes are read and given on as they were. */
async function readHandshake(answer: UpstreamResponse): Promise<{ refused: boolean; again: UpstreamResponse }> {
  const isShort = Number(answer.headers['content-length'] ?? Infinity) <= maxHandshakeBytes;
  const isJson = /^application\/json\b/i.test(answer.headers['content-type'] ?? '');
  if (!answer.body || !isJson || !isShort) return { refused: isRefusal(answer), again: answer };
  const chunks: Buffer[] = [];
  for await (const chunk of answer.body) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const again = { ...answer, body: Readable.from([bytes], { objectMode: false }) };
  return { refused: isRefusal(answer) || /"error"\s*:\s*\{/.test(bytes.toString('utf8')), again };
}

const HANDSHAKES: ReadonlySet<string> = new Set(['initialize', 'server/discover']);

function asksForHandshake({ messages }: UpstreamRequest): boolean {
  const [message] = messages;
  return message?.kind === 'request' && HANDSHAKES.has(message.method);
}
