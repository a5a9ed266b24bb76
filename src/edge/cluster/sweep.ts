// What nobody needs any more goes out of the registry: expired tokens, names unused for long, connectors long after their
// last certificate, and the words of nodes that are gone. Every node sweeps; what was changed since it was looked at stays.
import type { Clock } from '../../core/clock.ts';
import { repeat } from '../../core/repeat.ts';
import { isForgotten } from '../connectorRules.ts';
import { isAlive } from '../labelRules.ts';
import type { NodeLeases } from './nodeLeases.ts';
import type { Records } from './records.ts';

export const sweepMs = 60_000;
/** Removed in one sweep; the rest waits for the next. */
const maxPerSweep = 500;

type SweepOptions = { records: Records; nodes: NodeLeases; self: string; clock: Clock };

export function startSweeping(options: SweepOptions): { close(): void } {
  const { clock, records } = options;
  // The registry may go away meanwhile: the next sweep does the rest.
  return repeat(clock, sweepMs, async () => (records.problem === undefined ? sweep(options) : undefined));
}

export async function sweep({ records, nodes, self, clock }: SweepOptions): Promise<void> {
  const now = clock.now();
  const isGone = (node: string): boolean => node !== self && !nodes.isLive(node);
  let left = maxPerSweep;
  const removals = [
    ...records
      .all('token')
      .filter((token) => token.expiresMs <= now)
      .map(
        (token) => () =>
          records.change('token', token.digest, (present) =>
            present && present.expiresMs <= now ? undefined : present,
          ),
      ),
    ...records
      .all('claim')
      .filter((claim) => !isAlive(claim, now))
      .map(
        (claim) => () =>
          records.change('claim', claim.label, (present) => (present && !isAlive(present, now) ? undefined : present)),
      ),
    ...records
      .all('connector')
      .filter((one) => isForgotten(one, now))
      .map(
        (one) => () =>
          records.change('connector', one.id, (present) =>
            present && isForgotten(present, now) ? undefined : present,
          ),
      ),
    // A node that only seemed gone sees it, and says again what it serves.
    ...records
      .all('node')
      .filter(({ id }) => isGone(id))
      .map(
        ({ id }) =>
          () =>
            records.change('node', id, (present) => (isGone(id) ? undefined : present)),
      ),
    ...records
      .all('route')
      .filter(({ node }) => isGone(node))
      .map(
        ({ label, node }) =>
          () =>
            records.change('route', `${label}.${node}`, (present) => (isGone(node) ? undefined : present)),
      ),
    ...records
      .all('hold')
      .filter(({ label }) => !records.get('claim', label))
      .map(
        ({ label }) =>
          () =>
            records.change('hold', label, (present) => (records.get('claim', label) ? present : undefined)),
      ),
  ];
  for (const remove of removals) {
    if (left === 0) return;
    left -= 1;
    await remove();
  }
}
