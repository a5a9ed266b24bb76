// Who has to leave for one more session. Each principal has a share, and whoever wants more takes it from itself first:
// an agent that begins session after session cannot crowd out another one.
import type { StdioLimits } from './stdioLimits.ts';

/** A session, or whatever else holds a process for a principal. */
export type Holder = {
  principal: string;
  /** Milliseconds since the epoch at which it was last used; `undefined` while it is in use. */
  idleSinceMs: number | undefined;
};

export type Room<T> = { kind: 'free' } | { kind: 'taken'; from: T } | { kind: 'none' };

export function roomFor<T extends Holder>(
  principal: string,
  holders: readonly T[],
  { maxSessions, maxSessionsPerPrincipal }: Pick<StdioLimits, 'maxSessions' | 'maxSessionsPerPrincipal'>,
): Room<T> {
  const own = holders.filter((holder) => holder.principal === principal);
  const isFull = holders.length >= maxSessions;
  if (!isFull && own.length < maxSessionsPerPrincipal) return { kind: 'free' };
  const from =
    longestIdle(own) ?? (own.length < maxSessionsPerPrincipal ? ofTheLargest(holders, own.length) : undefined);
  return from ? { kind: 'taken', from } : { kind: 'none' };
}

/** Of the principal that holds most of all, and more than the one that asks would. */
function ofTheLargest<T extends Holder>(holders: readonly T[], own: number): T | undefined {
  const shares = new Map<string, T[]>();
  for (const holder of holders) {
    const share = shares.get(holder.principal) ?? [];
    shares.set(holder.principal, [...share, holder]);
  }
  const larger = [...shares.values()].filter(({ length }) => length > own).sort((a, b) => b.length - a.length);
  for (const share of larger) {
    const oldest = longestIdle(share);
    if (oldest) return oldest;
  }
  return undefined;
}

function longestIdle<T extends Holder>(holders: readonly T[]): T | undefined {
  let oldest: T | undefined;
  for (const holder of holders) {
    if (holder.idleSinceMs !== undefined && holder.idleSinceMs < (oldest?.idleSinceMs ?? Infinity)) oldest = holder;
  }
  return oldest;
}
