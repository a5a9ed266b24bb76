// Which nodes are up. Each writes its record again every second; who has not heard of a node for as long as its lease
// takes it for gone. While the registry is away nobody can be heard of, so nobody is taken for gone either: all leases
// begin anew when it is back. Only times of the reader's own clock are compared.
import type { Clock, TimerHandle } from '../../core/clock.ts';
import { Emitter } from '../../core/emitter.ts';
import type { Records } from './records.ts';
import type { NodeRecord } from './sharedRecords.ts';

export const heartbeatMs = 1_000;
/** Three heartbeats may be lost. */
export const leaseMs = 4_000;

export type NodeLeasesOptions = {
  records: Records;
  clock: Clock;
  /** This node's. */
  id: string;
  /** What it says of itself, at the port it listens on. */
  self: (port: number) => NodeRecord;
};

export class NodeLeases {
  readonly #options: NodeLeasesOptions;
  readonly #leases = new Map<string, TimerHandle | undefined>();
  readonly #gone = new Emitter<string>();
  #heartbeat: TimerHandle | undefined;
  /** Once this node has announced itself. */
  #said: NodeRecord | undefined;
  #isClosed = false;

  constructor(options: NodeLeasesOptions) {
    this.#options = options;
    const { records, id: own } = options;
    records.on('node', ({ id, now }) => {
      if (id === own) return;
      if (now) this.#renew(now);
      else this.#end(id);
    });
    records.onState((isThere) => (isThere ? this.#thaw() : this.#freeze()));
    for (const node of records.all('node')) if (node.id !== own) this.#renew(node);
  }

  /** A node's lease has ended, or it said that it stops. */
  readonly onGone = this.#gone.on;

  /** The others that are up. */
  live(): NodeRecord[] {
    return [...this.#leases.keys()].flatMap((id) => this.find(id) ?? []);
  }

  isLive(id: string): boolean {
    return this.#leases.has(id);
  }

  find(id: string): NodeRecord | undefined {
    return this.#options.records.get('node', id);
  }

  /** Begins to tell the others of this node; resolves when they can know. Throws `TIMEOUT`. */
  async start(port: number): Promise<void> {
    const { records, id, self } = this.#options;
    const said = self(port);
    this.#said = said;
    for (const node of this.live()) this.#renew(node);
    await records.put('node', id, said);
    this.#beatLater(said);
  }

  /** Tells the others, where that is possible. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#heartbeat?.cancel();
    this.#freeze();
    const { records, id } = this.#options;
    if (records.problem !== undefined) return;
    await records.change('node', id, () => undefined).catch(() => {}); // Its lease ends by itself.
  }

  #beatLater(said: NodeRecord): void {
    const { records, clock, id } = this.#options;
    this.#heartbeat = clock.after(heartbeatMs, () => {
      if (this.#isClosed) return;
      this.#beatLater(said);
      // What fails is told by the registry's own state.
      if (records.problem === undefined) records.put('node', id, said).catch(() => {});
    });
  }

  #renew({ id, leaseMs, address, startedMs }: NodeRecord): void {
    const { records, clock } = this.#options;
    // One that was killed and started again is there under a new id: at one address there is one node.
    for (const other of [...this.live(), ...(this.#said ? [this.#said] : [])]) {
      if (other.address !== address || other.id === id) continue;
      if (other.startedMs > startedMs) return this.#end(id);
      this.#end(other.id);
    }
    this.#leases.get(id)?.cancel();
    const isFrozen = records.problem !== undefined || this.#isClosed;
    this.#leases.set(id, isFrozen ? undefined : clock.after(leaseMs, () => this.#end(id)));
  }

  #end(id: string): void {
    const lease = this.#leases.get(id);
    lease?.cancel();
    if (this.#leases.delete(id)) this.#gone.emit(id);
  }

  #freeze(): void {
    for (const [id, lease] of this.#leases) {
      lease?.cancel();
      this.#leases.set(id, undefined);
    }
  }

  #thaw(): void {
    for (const node of this.live()) this.#renew(node);
  }
}
