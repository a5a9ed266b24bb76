// The registry was lost and is there again, empty or as it was some time ago. What the nodes that run know of connectors
// and names is written where it is missing; nothing that is there is replaced, except that a revocation always holds.
// Tokens are not written: one that another node saw spent must not be good again.
import { errorInfo } from '../../core/errors.ts';
import type { EdgeLog } from '../edgeLog.ts';
import type { Records } from './records.ts';

/** Records that are written at a time. */
const atOnce = 32;

export async function writeBack(records: Records, log: EdgeLog): Promise<void> {
  const connectors = records.all('connector');
  const claims = records.all('claim');
  log.warn(
    'registry-lost',
    `the registry was lost: ${connectors.length} connectors and ${claims.length} names are written again`,
  );
  const revoked = new Set(connectors.filter(({ revokedMs }) => revokedMs !== undefined).map(({ id }) => id));
  try {
    await inBatches(connectors, async (known) => {
      await records.change('connector', known.id, (present) => {
        if (!present) return known;
        const { revokedMs } = known;
        return revokedMs !== undefined && present.revokedMs === undefined ? { ...present, revokedMs } : present;
      });
    });
    await inBatches(claims, async (known) => {
      await records.change('claim', known.label, (present) =>
        present || revoked.has(known.connector) ? present : known,
      );
    });
    log.info('registry-restored', 'the registry has what this node knew');
  } catch (error) {
    // It went away once more: its return begins this again.
    log.warn('registry-not-restored', errorInfo(error).message);
  }
}

async function inBatches<T>(all: readonly T[], each: (one: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < all.length; from += atOnce) {
    await Promise.all(all.slice(from, from + atOnce).map(each));
  }
}
