// Names that were seen lately, to be offered while somebody types a filter.
import type { NameKey } from '../mcp/filter/filter.ts';
import { nameOf } from '../mcp/filter/matchFilter.ts';
import type { TrafficLog } from './trafficLog.ts';

/** Rows that are looked at, the newest ones. */
export const maxLookedAt = 2_000;

/** Names kept. */
export const maxNames = 200;

/** Of one key, each once, newest first. */
export function seenNames(log: TrafficLog, key: NameKey, serverName: (tunnel: string) => string | undefined): string[] {
  const names = new Set<string>();
  let left = maxLookedAt;
  for (const recorder of log.newest()) {
    if (left === 0 || names.size === maxNames) break;
    left -= 1;
    recorder.matches((row) => {
      const name = nameOf(row, key, serverName);
      if (name) names.add(name);
      return true;
    });
  }
  return [...names];
}
