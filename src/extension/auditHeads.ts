// Heads of the audit logs, kept where the logs cannot be edited from: in the system's secret storage, one entry for all
// windows. A log never steps back: fewer records than were kept, another record at the same place or another key is
// what heads are kept for, so that is told and not taken. The heads of earlier windows stay beside the newest one,
// because records that were cut may have grown again by the time a helper speaks.
import type { Clock, TimerHandle } from '../core/clock.ts';
import type { AuditHead } from '../protocol/control.ts';
import type { Secrets } from './tokens.ts';

/** Logs whose heads are kept; those that grew longest ago are forgotten. */
export const maxChains = 32;
/** Heads of one log: the newest, and the last ones of helpers before. */
export const maxHeadsPerChain = 4;
/** The storage may be a keychain: it is written at most this often, and with the first head of a log. */
export const persistIntervalMs = 30_000;

const secretKey = 'audit/heads';

/** `kept` was in the storage, `came` from the helper. */
export type Setback = { kept: AuditHead; came: AuditHead };

export type AuditHeadsOptions = {
  secrets: Pick<Secrets, 'get' | 'store'>;
  clock: Clock;
  /** Once for each log in a window. */
  onSetback: (setback: Setback) => void;
  log: (message: string) => void;
};

/** The last is the newest. */
type Chain = AuditHead[];

export class AuditHeads {
  readonly #options: AuditHeadsOptions;
  /** What this helper said last of each log it writes. */
  readonly #newest = new Map<string, AuditHead>();
  /** What was written for this helper, so that it replaces its own head and nobody else's. */
  readonly #written = new Map<string, AuditHead>();
  readonly #doubted = new Set<string>();
  #timer: TimerHandle | undefined;
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: AuditHeadsOptions) {
    this.#options = options;
  }

  /** Another helper speaks from now on: it may go on with a log that a third one wrote meanwhile. */
  begin(): void {
    void this.save();
    void this.#inTurn(async () => {
      this.#newest.clear();
      this.#written.clear();
    });
  }

  /** Takes a head, or tells of a setback. Never rejects. */
  accept(head: AuditHead): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#doubted.has(head.chain)) return;
      const before = this.#newest.get(head.chain);
      const kept = before ?? (await this.#read()).get(head.chain)?.at(-1);
      if (kept && stepsBack(kept, head)) return this.#doubt({ kept, came: head });
      this.#newest.delete(head.chain);
      this.#newest.set(head.chain, head);
      for (const chain of [...this.#newest.keys()].slice(0, -maxChains)) this.#newest.delete(chain);
      if (!before) return this.#write();
      this.#timer ??= this.#options.clock.after(persistIntervalMs, () => void this.save());
    });
  }

  /** Every head that is kept, the newest of this window included. */
  async all(): Promise<AuditHead[]> {
    let heads: AuditHead[] = [];
    await this.#inTurn(async () => {
      await this.#write();
      heads = [...(await this.#read()).values()].flat();
    });
    return heads;
  }

  /** Writes what is newer than what is kept; to be called before the window closes. */
  save(): Promise<void> {
    return this.#inTurn(() => this.#write());
  }

  /** A person says that these logs were removed or put back on purpose. */
  forget(chains: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      const all = await this.#read();
      for (const chain of chains) {
        all.delete(chain);
        this.#newest.delete(chain);
        this.#written.delete(chain);
        this.#doubted.delete(chain);
      }
      await this.#store(all);
    });
  }

  async #write(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const all = await this.#read();
    let changed = false;
    for (const [chain, head] of this.#newest) {
      if (isSame(head, this.#written.get(chain))) continue;
      const heads = all.get(chain) ?? [];
      const last = heads.at(-1);
      if (last && last.count >= head.count) continue; // The same, or another window's helper went on with the log.
      const own = last !== undefined && isSame(last, this.#written.get(chain));
      all.delete(chain); // So that it comes last: the newest logs are kept.
      all.set(chain, [...(own ? heads.slice(0, -1) : heads), head].slice(-maxHeadsPerChain));
      this.#written.set(chain, head);
      changed = true;
    }
    if (changed) await this.#store(all);
  }

  #doubt(setback: Setback): void {
    this.#doubted.add(setback.came.chain);
    this.#options.onSetback(setback);
  }

  async #read(): Promise<Map<string, Chain>> {
    const text = await this.#options.secrets.get(secretKey);
    const heads = text === undefined ? [] : parseHeads(text);
    if (!heads) {
      this.#options.log('the heads of the audit log that were kept cannot be read; keeping begins anew');
      return new Map();
    }
    const all = new Map<string, Chain>();
    for (const head of heads) all.set(head.chain, [...(all.get(head.chain) ?? []), head]);
    return all;
  }

  #store(all: ReadonlyMap<string, Chain>): PromiseLike<void> {
    return this.#options.secrets.store(secretKey, JSON.stringify([...all.values()].slice(-maxChains).flat()));
  }

  /** One after the other: each reads what the one before wrote. A storage that fails is tried again with the next head. */
  #inTurn(work: () => Promise<void> | void): Promise<void> {
    const done = this.#work.then(work).catch((error: unknown) => {
      this.#options.log(`the head of the audit log could not be kept: ${String(error)}`);
    });
    this.#work = done;
    return done;
  }
}

function stepsBack(kept: AuditHead, came: AuditHead): boolean {
  if (kept.key !== came.key || came.count < kept.count) return true;
  return came.count === kept.count && came.hash !== kept.hash;
}

function isSame(left: AuditHead, right: AuditHead | undefined): boolean {
  return right !== undefined && left.count === right.count && left.hash === right.hash;
}

function parseHeads(text: string): AuditHead[] | undefined {
  try {
    const heads: unknown = JSON.parse(text);
    return Array.isArray(heads) && heads.every(isHead) ? heads : undefined;
  } catch {
    return undefined; // The caller says so.
  }
}

function isHead(value: unknown): value is AuditHead {
  const { chain, key, count, hash } = (value ?? {}) as Partial<AuditHead>;
  return (
    typeof chain === 'string' && typeof key === 'string' && Number.isSafeInteger(count) && typeof hash === 'string'
  );
}
