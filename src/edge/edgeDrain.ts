// The end of an edge, in order: first it only says that it is not ready, so that load balancers look elsewhere; then
// nobody new is let in, and connectors hear of it; visitors may finish for a while, and who is left then is cut off.
import { delay, type Clock } from '../core/clock.ts';
import { formatDuration } from '../core/duration.ts';
import type { EdgeLog } from './edgeLog.ts';

/** How often it is looked whether everybody has gone. */
const lookMs = 100;
/** How often progress is told. */
const tellMs = 5000;

export const defaultDrain = { leadMs: 0, withinMs: 10_000 };

export type DrainPlan = {
  /** From “not ready” to the end of listening. */
  leadMs: number;
  /** How long visitors may take after that. */
  withinMs: number;
  reason: string;
  /** Nothing is waited for any more. */
  urgent: AbortSignal;
};

export type Drained = {
  /** Takes nobody new. */
  stopListening(): Promise<void>;
  /** Lets every connector know. */
  tell(drain: { reason: string; withinMs: number }): void;
  /** Visitors that are inside. */
  busy(): number;
};

/** Resolves when everybody has gone, the time is over, or it is urgent: with how many are left. */
export async function drain(
  edge: Drained,
  { leadMs, withinMs, reason, urgent }: DrainPlan,
  { clock, log }: { clock: Clock; log: EdgeLog },
): Promise<number> {
  const pause = (ms: number): Promise<void> => delay(clock, ms, urgent).catch(() => {}); // The loops look at `urgent`.
  if (leadMs > 0 && !urgent.aborted) {
    log.info('drain-announced', `not ready from now on; new visitors are taken for ${formatDuration(leadMs)} more`);
    await pause(leadMs);
  }
  await edge.stopListening();
  if (!urgent.aborted) edge.tell({ reason, withinMs });

  const endMs = clock.now() + withinMs;
  let toldMs = -Infinity;
  for (let left = edge.busy(); left > 0; left = edge.busy()) {
    const now = clock.now();
    if (urgent.aborted || now >= endMs) {
      log.warn('drain-ended', `${left} visitors are cut off`, { left });
      return left;
    }
    if (now - toldMs >= tellMs) {
      toldMs = now;
      log.info('drain-waits', `${left} visitors may finish for ${formatDuration(endMs - now)}`, { left });
    }
    await pause(Math.min(lookMs, endMs - now));
  }
  log.info('drain-ended', 'nobody is served any more');
  return 0;
}
