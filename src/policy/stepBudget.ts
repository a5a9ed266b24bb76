// What judging arguments may cost: the rules may be a stranger's, the arguments are an agent's, and whoever else is served
// by this process waits meanwhile.
import { Unjudgeable } from './linearPattern.ts';

/** Steps of all checks of one request, its whole batch under all files together; more are refused. About a tenth of a second. */
export const maxSteps = 2_000_000;

/** What is left of {@link maxSteps}. */
export type Budget = { left: number };

/** Throws {@link Unjudgeable} when nothing is left. */
export function spend(budget: Budget, steps: number): void {
  budget.left -= steps;
  if (budget.left < 0) throw new Unjudgeable('takes too long to be compared with what is demanded');
}
