// All that the nodes share, at hand at every moment and changed by compare-and-set: a rule sees the record as the store
// has it, and where another node was faster it is asked again. What the copy loses when the store does is decided here.
import { Emitter, type Unsubscribe } from '../../core/emitter.ts';
import { TunnelError } from '../../core/errors.ts';
import type { EdgeLog } from '../edgeLog.ts';
import { maxValueBytes, type Bucket, type BucketEvents, type Stored } from './bucket.ts';
import {
  keyOf,
  kinds,
  parseMeta,
  parseRecord,
  splitKey,
  type Kind,
  type Meta,
  type RecordOf,
} from './sharedRecords.ts';

/** A record changed between reading and writing so often only where something is wrong. */
export const maxConflicts = 20;

export type Change<K extends Kind> = { id: string; before: RecordOf<K> | undefined; now: RecordOf<K> | undefined };

type Held = { record: RecordOf<Kind>; revision: number };
/** `undefined` removes it; the very record that was given leaves it as it is. */
type Rule<K extends Kind> = (present: RecordOf<K> | undefined) => RecordOf<K> | undefined;

export class Records {
  readonly #log: EdgeLog;
  readonly #foreignness: (meta: Meta | undefined) => string | undefined;
  readonly #held: Record<Kind, Map<string, Held>>;
  readonly #changed = new Emitter<{ kind: Kind } & Change<Kind>>();
  readonly #state = new Emitter<boolean>();
  readonly #lost = new Emitter<void>();
  #bucket: Bucket | undefined;
  #meta: Meta | undefined;
  #highest = 0;
  #problem: string | undefined = 'it was not reached yet';

  /** `foreignness` says why this node must not use a store, if so. */
  constructor(options: { foreignness: (meta: Meta | undefined) => string | undefined; log: EdgeLog }) {
    this.#foreignness = options.foreignness;
    this.#log = options.log;
    this.#held = Object.fromEntries(kinds.map((kind) => [kind, new Map()])) as unknown as Record<
      Kind,
      Map<string, Held>
    >;
  }

  /** Hand these to the bucket when it is opened. */
  readonly events: BucketEvents = {
    onSnapshot: (entries, highest) => this.#takeAll(entries, highest),
    onChange: (key, stored) => this.#take(key, stored),
    onLost: (why) => this.#become(why),
  };

  use(bucket: Bucket): void {
    this.#bucket = bucket;
  }

  /** Why nothing can be changed now; absent while the copy follows the store. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** The registry is there again (`true`, after the changes it brought were told), or not any more. */
  readonly onState = this.#state.on;
  /** The store is another one than before, or an older state of it: what only this copy knows is to be written again. */
  readonly onStoreLost = this.#lost.on;

  on<K extends Kind>(kind: K, listener: (change: Change<K>) => void): Unsubscribe {
    return this.#changed.on(({ kind: changed, ...change }) => {
      if (changed === kind) listener(change as Change<K>);
    });
  }

  get<K extends Kind>(kind: K, id: string): RecordOf<K> | undefined {
    return this.#held[kind].get(id)?.record as RecordOf<K> | undefined;
  }

  all<K extends Kind>(kind: K): RecordOf<K>[] {
    return Array.from(this.#held[kind].values(), ({ record }) => record as RecordOf<K>);
  }

  count(kind: Kind): number {
    return this.#held[kind].size;
  }

  /** As the store has it at this moment. Throws `TIMEOUT`. */
  async read<K extends Kind>(kind: K, id: string): Promise<RecordOf<K> | undefined> {
    const read = await this.#reachable().read(keyOf(kind, id));
    if (read.kind === 'unreachable') throw registryAway(read.why);
    return read.text === undefined ? undefined : parseRecord(kind, id, read.text);
  }

  /** Asks `rule` about the record as the store has it, and again where another node changed it meanwhile. Throws `TIMEOUT`. */
  async change<K extends Kind>(kind: K, id: string, rule: Rule<K>): Promise<RecordOf<K> | undefined> {
    const key = keyOf(kind, id);
    for (let conflicts = 0; conflicts < maxConflicts; conflicts += 1) {
      const read = await this.#reachable().read(key);
      if (read.kind === 'unreachable') throw registryAway(read.why);
      const present = read.text === undefined ? undefined : parseRecord(kind, id, read.text);
      const next = rule(present);
      if (next === present) return present;
      const text = next && JSON.stringify(next);
      if (text !== undefined && Buffer.byteLength(text) > maxValueBytes) {
        throw new TunnelError('LIMIT', 'it is too much for the registry: name fewer networks');
      }
      const bucket = this.#reachable();
      const written =
        text === undefined ? await bucket.remove(key, read.revision) : await bucket.write(key, text, read.revision);
      if (written.kind === 'unreachable') throw registryAway(written.why);
      if (written.kind === 'conflict') continue;
      // Its echo may be late, and whoever asked goes on with what it wrote.
      if (written.revision > 0) this.#take(key, { text, revision: written.revision });
      return next;
    }
    throw registryAway('another node changes the same all the time');
  }

  /** Writes what is this node's own, whatever stands there. Throws `TIMEOUT`. */
  async put<K extends Kind>(kind: K, id: string, record: RecordOf<K>): Promise<void> {
    const text = JSON.stringify(record);
    const written = await this.#reachable().write(keyOf(kind, id), text);
    if (written.kind !== 'written') throw registryAway(written.kind === 'unreachable' ? written.why : 'a conflict');
    this.#take(keyOf(kind, id), { text, revision: written.revision });
  }

  #reachable(): Bucket {
    if (this.#problem === undefined && this.#bucket) return this.#bucket;
    throw registryAway(this.#problem ?? 'it was not reached yet');
  }

  #take(key: string, { text, revision }: Stored): void {
    this.#highest = Math.max(this.#highest, revision);
    const split = splitKey(key);
    if (!split) return;
    const { kind, id } = split;
    const held = this.#held[kind].get(id);
    if (held && held.revision >= revision) return; // An echo.
    this.#hold(kind, id, text === undefined ? undefined : this.#parse(kind, id, text), revision);
  }

  #takeAll(entries: ReadonlyMap<string, { text: string; revision: number }>, highest: number): void {
    const meta = parseMeta(entries.get('meta')?.text);
    const foreign = this.#foreignness(meta);
    if (foreign !== undefined) return this.#become(foreign);
    const isLost = this.#meta !== undefined && (meta?.bucket !== this.#meta.bucket || highest < this.#highest);
    this.#meta = meta;
    this.#highest = highest;

    for (const kind of kinds) {
      // Of a store that was lost, what it knew of connectors and names stands until it was written back.
      const stays = isLost && (kind === 'connector' || kind === 'claim');
      for (const [id, held] of this.#held[kind]) {
        if (stays) held.revision = 0;
        else if (!entries.has(keyOf(kind, id))) this.#hold(kind, id, undefined, 0);
      }
    }
    for (const [key, { text, revision }] of entries) {
      const split = splitKey(key);
      if (split) this.#hold(split.kind, split.id, this.#parse(split.kind, split.id, text), revision);
    }
    this.#become(undefined);
    if (isLost) this.#lost.emit();
  }

  #parse<K extends Kind>(kind: K, id: string, text: string): RecordOf<K> | undefined {
    const record = parseRecord(kind, id, text);
    if (!record) {
      this.#log.warn('registry-record-ignored', `the registry holds something under ${keyOf(kind, id)} that is none`, {
        key: keyOf(kind, id),
      });
    }
    return record;
  }

  #hold(kind: Kind, id: string, record: RecordOf<Kind> | undefined, revision: number): void {
    const held = this.#held[kind];
    const before = held.get(id)?.record;
    const now = record && before ? stricter(kind, before, record) : record;
    if (now) held.set(id, { record: now, revision });
    else held.delete(id);
    if (before !== undefined || now !== undefined) this.#changed.emit({ kind, id, before, now });
  }

  #become(problem: string | undefined): void {
    const had = this.#problem;
    this.#problem = problem;
    if ((had === undefined) !== (problem === undefined)) this.#state.emit(problem === undefined);
  }
}

/** A revocation that was heard of once is never taken back, whatever the store says later. */
function stricter(kind: Kind, before: RecordOf<Kind>, now: RecordOf<Kind>): RecordOf<Kind> {
  if (kind !== 'connector') return now;
  const { revokedMs } = before as RecordOf<'connector'>;
  const connector = now as RecordOf<'connector'>;
  return revokedMs === undefined || connector.revokedMs !== undefined ? now : { ...connector, revokedMs };
}

/** Retryable: the registry comes back, or whoever runs the edge brings it back. */
export function registryAway(why: string): TunnelError {
  return new TunnelError('TIMEOUT', `the registry of this edge cannot be reached (${why}): try again later`, {
    retryable: true,
  });
}
