// Which legacy session serves which modern request: the one of its principal, opened for the same client with the same
// capabilities. Opened when first needed, ended when nobody has needed it for a while.
import { createHash } from 'node:crypto';
import type { Clock, Random, TimerHandle } from '../../core/clock.ts';
import type { JsonValue } from '../../core/json.ts';
import type { Upstream } from '../upstream.ts';
import { BackSession } from './backSession.ts';
import { legacyCapabilities } from './handshakes.ts';
import type { ModernRequest } from './modernRequest.ts';
import { sorted } from './requestStates.ts';

export const backLimits = {
  /** Sessions of all principals; for one more, the longest idle one is ended. */
  maxSessions: 256,
  /** Sessions of one principal, so that one that calls itself something new each time takes nobody's place. */
  maxSessionsOfOne: 8,
  /** A session without call and subscription is ended after this. */
  idleMs: 5 * 60_000,
};

export type BackSessionsOptions = {
  upstream: Upstream;
  clock: Clock;
  random: Random;
  mayHold: () => boolean;
  /** See {@link BackSession}. */
  onRefused: () => void;
};

type Entry = { principal: string; session: Promise<BackSession>; ready?: BackSession; idle?: TimerHandle };

export class BackSessions {
  readonly #options: BackSessionsOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: BackSessionsOptions) {
    this.#options = options;
  }

  get isUsed(): boolean {
    return this.#entries.size > 0;
  }

  /** `undefined` where there are too many in use. Throws what the server's start throws. */
  async for(
    principal: string,
    request: ModernRequest,
    headers: Record<string, string>,
  ): Promise<BackSession | undefined> {
    const key = keyOf(principal, request);
    const known = this.#entries.get(key);
    if (known) {
      this.#entries.delete(key); // Moves it to the young end.
      this.#entries.set(key, known);
      this.#watch(key, known);
      return known.session;
    }
    const ofOne = [...this.#entries].filter(([, entry]) => entry.principal === principal);
    if (ofOne.length >= backLimits.maxSessionsOfOne && !this.#makeRoom(ofOne)) return undefined;
    if (this.#entries.size >= backLimits.maxSessions && !this.#makeRoom([...this.#entries])) return undefined;
    const entry: Entry = { principal, session: this.#start(key, principal, request, headers) };
    this.#entries.set(key, entry);
    try {
      entry.ready = await entry.session;
      this.#watch(key, entry);
      return entry.ready;
    } catch (error) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      throw error;
    }
  }

  /** Ready sessions of this principal. */
  *of(principal: string): Iterable<BackSession> {
    for (const entry of this.#entries.values()) if (entry.principal === principal && entry.ready) yield entry.ready;
  }

  /** One that has just become idle is ended when it stays so. */
  released(session: BackSession): void {
    for (const [key, entry] of this.#entries) if (entry.ready === session) this.#watch(key, entry);
  }

  async close(): Promise<void> {
    const all = [...this.#entries.values()];
    this.#entries.clear();
    for (const { idle } of all) idle?.cancel();
    await Promise.allSettled(all.map(async ({ session }) => (await session).close()));
  }

  async #start(
    key: string,
    principal: string,
    request: ModernRequest,
    headers: Record<string, string>,
  ): Promise<BackSession> {
    const { upstream, clock, random, mayHold, onRefused } = this.#options;
    const session: BackSession = new BackSession({
      upstream,
      principal,
      clientInfo: request.clientInfo,
      clientCapabilities: legacyCapabilities(request.clientCapabilities),
      headers,
      clock,
      random,
      mayHold,
      onRefused,
      onOver: () => {
        if (this.#entries.get(key)?.ready === session) this.#entries.delete(key);
      },
    });
    await session.start();
    return session;
  }

  #watch(key: string, entry: Entry): void {
    entry.idle?.cancel();
    entry.idle = this.#options.clock.after(backLimits.idleMs, () => {
      if (entry.ready?.isIdle === false) return this.#watch(key, entry);
      this.#end(key, entry);
    });
  }

  #makeRoom(among: readonly [string, Entry][]): boolean {
    const idle = among.find(([, { ready }]) => ready?.isIdle === true);
    if (!idle) return false;
    this.#end(...idle);
    return true;
  }

  #end(key: string, entry: Entry): void {
    entry.idle?.cancel();
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    entry.session.then((session) => session.close()).catch(() => undefined); // It never began.
  }
}

function keyOf(principal: string, { clientInfo, clientCapabilities }: ModernRequest): string {
  const said = [principal, JSON.parse(clientInfo) as JsonValue, JSON.parse(clientCapabilities) as JsonValue];
  return createHash('sha256')
    .update(JSON.stringify(sorted(said)))
    .digest('base64url');
}
