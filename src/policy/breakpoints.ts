// Calls that a person wants to see before they are made. What is said of arguments is a JSON Schema, judged within the
// bounds of those in policy files; a call that cannot be judged within them is held, too.
import { z } from 'zod';
import { TunnelError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import type { Breakpoint } from '../mcp/heldCall.ts';
import { compileRules, fulfils } from './argumentRules.ts';
import { argumentSchema } from './argumentSchema.ts';
import { matchesGlob } from './glob.ts';
import { patternSchema } from './policySchema.ts';
import { maxSteps } from './stepBudget.ts';

/** Of one driver. */
export const maxBreakpoints = 100;

export type BreakpointCall = { tunnel: string; tool: string; agents: readonly string[]; args: JsonValue };

export type CheckedBreakpoint = { spec: Breakpoint; matches: (call: BreakpointCall) => boolean };

const schema = z.strictObject({
  tunnel: z.string().max(100).optional(),
  tool: patternSchema.optional(),
  agent: patternSchema.optional(),
  arguments: argumentSchema.optional(),
  once: z.boolean().optional(),
});

/** Throws `USAGE`. */
export function checkBreakpoints(specs: readonly Breakpoint[]): CheckedBreakpoint[] {
  if (specs.length > maxBreakpoints) throw new TunnelError('USAGE', `at most ${maxBreakpoints} breakpoints can be set`);
  return specs.map(checked);
}

/** For the log and whoever answers. */
export function breakpointName({ tool, agent, arguments: wanted, once }: Breakpoint): string {
  const parts = [
    tool === undefined ? '' : ` tool ${tool}`,
    agent === undefined ? '' : ` agent ${agent}`,
    wanted === undefined ? '' : ' arguments',
  ].join('');
  return `breakpoint${once ? ' (next call)' : ''}${parts}`;
}

function checked(spec: Breakpoint): CheckedBreakpoint {
  const read = schema.safeParse(spec);
  if (!read.success) throw new TunnelError('USAGE', `a breakpoint: ${read.error.issues[0]?.message}`);
  const { tunnel, tool = '*', agent = '*' } = spec;
  const fits = argumentsCheck(read.data.arguments);
  return {
    spec,
    matches: (call) =>
      (tunnel === undefined || tunnel === call.tunnel) &&
      matchesGlob(tool, call.tool) &&
      call.agents.some((name) => matchesGlob(agent, name)) &&
      fits(call.args),
  };
}

function argumentsCheck(wanted: z.infer<typeof argumentSchema> | undefined): (args: JsonValue) => boolean {
  if (wanted === undefined) return () => true;
  const rules = { '*': wanted };
  compileRules(rules, (_tool, problem) => {
    throw new TunnelError('USAGE', `the arguments of a breakpoint: ${problem}`);
  });
  return (args) => fulfils(rules, args, { left: maxSteps }) !== 'no';
}
