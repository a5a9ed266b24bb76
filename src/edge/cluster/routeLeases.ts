// Which node serves which name. A claim first makes its run the one that may serve the name, by compare-and-set, so that
// two nodes never serve two runs for long; then each node that has links of it says so. A node's word counts while its
// lease does.
import { Emitter } from '../../core/emitter.ts';
import type { Clock } from '../../core/clock.ts';
import { TunnelError } from '../../core/errors.ts';
import type { RouteClaim } from '../../protocol/edge.ts';
import type { RouteSharing, SharedRoute } from '../routeSharing.ts';
import type { ClusterState } from './clusterState.ts';
import type { Records } from './records.ts';
import type { RouteRecord } from './sharedRecords.ts';

/** Between a run's claim and its first links' lease; in it another instance is told to wait. */
export const claimGraceMs = 2_000;

export type RouteLeasesOptions = {
  records: Records;
  state: ClusterState;
  clock: Clock;
  /** This node. */
  node: string;
  /** Whether the others can be reached through that node. */
  isUp: (node: string) => boolean;
};

export class RouteLeases implements RouteSharing {
  readonly #options: RouteLeasesOptions;
  /** What this node serves. */
  readonly #own = new Map<string, RouteRecord>();
  /** What the others do, by label and node. */
  readonly #others = new Map<string, Map<string, RouteRecord>>();
  readonly #held = new Map<string, { run: string; sinceMs: number }>();
  readonly #writing = new Map<string, Promise<void>>();
  readonly #lost = new Emitter<{ label: string; run: string }>();

  constructor(options: RouteLeasesOptions) {
    this.#options = options;
    const { records } = options;
    records.on('route', ({ before, now }) => this.#note(before, now));
    records.on('hold', ({ id, now }) => this.#noteHold(id, now?.run));
    for (const route of records.all('route')) this.#note(undefined, route);
    for (const { label, run } of records.all('hold')) this.#noteHold(label, run);
    records.onState((isThere) => {
      if (isThere) this.#republish();
    });
  }

  /** A run that another node let in since has the name now. */
  readonly onLost = this.#lost.on;

  async claim(claim: RouteClaim, connector: string): Promise<void> {
    const { state, records } = this.#options;
    try {
      await state.claimLabel(claim.label, connector);
      await records.change('hold', claim.label, (present) => {
        const { label, instance, run } = claim;
        if (present?.connector === connector) {
          if (present.instance === instance && present.run === run) return present;
          if (present.instance !== instance && this.#isServed(present)) throw busy(label);
        }
        return { label, connector, instance, run };
      });
    } catch (error) {
      if (records.problem === undefined || !this.#isKnown(claim, connector)) throw error;
    }
  }

  async publish(route: SharedRoute): Promise<void> {
    const { label, connector, instance, run, sinceMs, admission } = route;
    const { node } = this.#options;
    const record = { label, node, connector, instance, run, sinceMs };
    this.#own.set(label, admission ? { ...record, admission } : record);
    await this.#write(label);
    const held = this.#held.get(label);
    // Another node was faster between the claim and here.
    if (held && held.run !== run && this.#own.get(label)?.run === run) this.#lost.emit({ label, run });
  }

  withdraw(label: string, run: string): void {
    if (this.#own.get(label)?.run !== run) return;
    this.#own.delete(label);
    void this.#write(label);
  }

  /** The run that may serve it. */
  runOf(label: string): string | undefined {
    return this.#held.get(label)?.run;
  }

  /** Who else serves it: nodes that are up, with links of the connector that owns the name. */
  find(label: string): RouteRecord[] {
    const { state, isUp } = this.#options;
    const owner = state.ownerOf(label);
    const routes = Array.from(this.#others.get(label)?.values() ?? []).filter(
      ({ node, connector }) => connector === owner && isUp(node),
    );
    const run = this.runOf(label);
    const current = routes.filter((route) => route.run === run);
    return current.length > 0 ? current : routes;
  }

  /** What was let go is told, or cannot be. */
  async settled(): Promise<void> {
    await Promise.all(this.#writing.values());
  }

  /** All that the others serve, as this node sees it. */
  others(): RouteRecord[] {
    return [...this.#others.keys()].flatMap((label) => this.find(label));
  }

  #isServed({ label, instance, run }: { label: string; instance: string; run: string }): boolean {
    const routes = [...this.find(label), this.#own.get(label)];
    if (routes.some((route) => route?.instance === instance && route.run === run)) return true;
    const held = this.#held.get(label);
    return held?.run !== run || this.#options.clock.now() - held.sinceMs < claimGraceMs;
  }

  /** While the registry is away, links of a run that had the name go on to have it. */
  #isKnown({ label, instance, run }: RouteClaim, connector: string): boolean {
    const { records, state } = this.#options;
    const hold = records.get('hold', label);
    const isSame = hold?.connector === connector && hold.instance === instance && hold.run === run;
    return isSame && state.ownerOf(label) === connector;
  }

  #note(before: RouteRecord | undefined, now: RouteRecord | undefined): void {
    const { node, label } = (now ?? before) as RouteRecord;
    if (node === this.#options.node) {
      // Another node took this one for gone, and cleared up after it.
      if (!now && this.#own.has(label)) void this.#write(label);
      return;
    }
    const nodes = this.#others.get(label) ?? new Map<string, RouteRecord>();
    if (now) nodes.set(node, now);
    else nodes.delete(node);
    if (nodes.size > 0) this.#others.set(label, nodes);
    else this.#others.delete(label);
  }

  #noteHold(label: string, run: string | undefined): void {
    if (run === undefined) return void this.#held.delete(label);
    if (this.#held.get(label)?.run !== run) this.#held.set(label, { run, sinceMs: this.#options.clock.now() });
    const own = this.#own.get(label);
    if (own && own.run !== run) this.#lost.emit({ label, run: own.run });
  }

  #republish(): void {
    const { records, node } = this.#options;
    for (const label of this.#own.keys()) void this.#write(label);
    for (const { label, node: whose } of records.all('route')) {
      if (whose === node && !this.#own.has(label)) void this.#write(label);
    }
  }

  /** Brings the registry to what this node serves; one write of a label at a time, and what fails is done on return. */
  #write(label: string): Promise<void> {
    const last = this.#writing.get(label) ?? Promise.resolve();
    const next = last.then(async () => {
      const { records, node } = this.#options;
      if (records.problem !== undefined) return;
      const wanted = this.#own.get(label);
      await records.change('route', `${label}.${node}`, (present) => (isSame(present, wanted) ? present : wanted));
    });
    const settled = next
      .catch(() => {}) // The registry went away; its return writes everything again.
      .finally(() => {
        if (this.#writing.get(label) === settled) this.#writing.delete(label);
      });
    this.#writing.set(label, settled);
    return settled;
  }
}

const isSame = (one: RouteRecord | undefined, other: RouteRecord | undefined): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

const busy = (label: string): TunnelError =>
  new TunnelError('ROUTE_BUSY', `the name ${label} is held by another tunnel of this machine`);
