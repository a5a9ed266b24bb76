// Waiting for a condition, never for a time: the deadline only ends a wait that would be for ever.
import { setTimeout as pause } from 'node:timers/promises';

export async function until(
  condition: () => boolean | Promise<boolean>,
  withinMs = 10_000,
  why: () => string = () => 'the condition never held',
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(why());
    await pause(5);
  }
}
