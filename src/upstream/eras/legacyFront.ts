// Legacy agents at a modern server: sessions of the Streamable HTTP transport (≤ 2025-11-25), with ids, streams and
// replay as a stdio server gets them, only that nothing is started for one: behind each is the same modern server.
import { randomUUID } from 'node:crypto';
import type { Clock, Random } from '../../core/clock.ts';
import { refuse } from '../answers.ts';
import { StdioUpstream } from '../stdioUpstream.ts';
import type { Upstream, UpstreamRequest, UpstreamResponse } from '../upstream.ts';
import type { HttpRefusal } from './httpRefusal.ts';
import { ModernServerPipe, type Accompanying } from './modernServerPipe.ts';

export const legacyFrontLimits = {
  /** Principals with sessions at a time; for one more, the one that was away longest has its sessions ended. */
  maxPrincipals: 256,
  /** Sessions of one principal; the longest idle one is ended for a new one, else 503. */
  maxSessions: 32,
};

export type LegacyFrontOptions = {
  upstream: Upstream;
  clock: Clock;
  random: Random;
  onStranger: () => void;
};

/** One principal's sessions: a session id of somebody else is not among them, and so unknown. */
type Own = { sessions: StdioUpstream; latest: Accompanying };

export class LegacyFront {
  readonly #options: LegacyFrontOptions;
  readonly #prefix = `mcpt-${randomUUID().slice(0, 8)}`;
  readonly #own = new Map<string, Own>();
  #asked = 0;

  constructor(options: LegacyFrontOptions) {
    this.#options = options;
  }

  /** Whether it has any session at all. */
  get isUsed(): boolean {
    return this.#own.size > 0;
  }

  async forward(request: UpstreamRequest): Promise<UpstreamResponse> {
    const begins = request.messages.some((message) => message.kind === 'request' && message.method === 'initialize');
    const own = begins ? this.#ownOf(request.principal) : this.#own.get(request.principal);
    if (!own) return request.sessionId === undefined ? withoutSession(request) : refuse.unknownSession();
    this.#own.delete(request.principal); // Moves it to the young end.
    this.#own.set(request.principal, own);
    let refused: HttpRefusal | undefined;
    own.latest = { headers: request.headers, note: request.note, onRefused: (refusal) => (refused = refusal) };
    const answer = await own.sessions.forward(request);
    if (!refused || request.messages.length !== 1) return answer;
    answer.body?.destroy();
    return refused.response;
  }

  /** Ends every session: its agent is told by a 404 to begin anew. */
  async close(): Promise<void> {
    const all = [...this.#own.values()];
    this.#own.clear();
    await Promise.all(all.map(({ sessions }) => sessions.close()));
  }

  #ownOf(principal: string): Own {
    const known = this.#own.get(principal);
    if (known) return known;
    const { upstream, clock, random, onStranger } = this.#options;
    const own: Own = {
      latest: { headers: {} },
      sessions: new StdioUpstream({
        command: '',
        args: [],
        env: {},
        cwd: '',
        clock,
        limits: { maxSessions: legacyFrontLimits.maxSessions },
        open: async () =>
          new ModernServerPipe({
            upstream,
            principal,
            clock,
            random,
            nextId: () => `${this.#prefix}-${(this.#asked += 1)}`,
            accompanying: () => own.latest,
            onStranger,
          }),
      }),
    };
    this.#own.set(principal, own);
    if (this.#own.size > legacyFrontLimits.maxPrincipals) this.#endOldest();
    return own;
  }

  #endOldest(): void {
    const [principal, oldest] = this.#own.entries().next().value!;
    this.#own.delete(principal);
    void oldest.sessions.close();
  }
}

function withoutSession({ method }: UpstreamRequest): UpstreamResponse {
  return method === 'GET' ? refuse.noStream() : refuse.noSession();
}
