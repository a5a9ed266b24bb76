// Who is told to end answers first what was asked already, for a while: a call that is cut off may have done its work,
// and its agent cannot know.
import { formatDuration } from '../core/duration.ts';
import type { CallsUnderWay } from './callsUnderWay.ts';
import type { CommandContext } from './command.ts';
import type { TrafficFollower } from './followTraffic.ts';

/** How long, when nobody says otherwise. */
export const defaultFinishMs = 10_000;

/** `follower` tells `calls`. Ctrl-C and a second SIGTERM end the wait. */
export async function finishCalls(
  { output, clock, urgent }: CommandContext,
  follower: TrafficFollower,
  calls: CallsUnderWay,
  withinMs: number,
): Promise<void> {
  if (urgent.aborted) return;
  await follower.start();
  if (calls.count === 0) return;
  output.event({ event: 'ending', calls: calls.count, withinMs });
  output.log(`${calls.count} calls under way may finish for ${formatDuration(withinMs)}.`);
  const late = new AbortController();
  const timer = clock.after(withinMs, () => late.abort());
  await calls.none(AbortSignal.any([urgent, late.signal]));
  timer.cancel();
  if (calls.count > 0) output.log(`${calls.count} calls are cut off.`);
}
