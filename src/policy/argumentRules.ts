// Whether the arguments of a call are what the rules demand of them. Schemas become functions once, when the policy is
// read; what cannot be judged within the bounds is refused.
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { countSchemas, type ArgumentSchema } from './argumentSchema.ts';
import { shown } from './finding.ts';
import { matchesGlob } from './glob.ts';
import { LinearPattern, Unjudgeable } from './linearPattern.ts';
import { spend, type Budget } from './stepBudget.ts';

/** Values (elements and members, however deep) in arguments that are checked; more are refused. */
export const maxValues = 10_000;

/** Patterns of names, and the schema that the arguments of such a tool must fulfil. */
export type ArgumentRules = { readonly [tool: string]: ArgumentSchema };

/** Which schema (its key) refuses the arguments, and what is wrong with them. */
export type ArgumentFault = { key: string; reason: string };

/** `schemas`: how many at most look at one value. `spending`: whose budget it is just now. */
type Check = { key: string; validate: ValidateFunction; schemas: number; spending: { from: Budget } };

/** By the object that the policy file became; it goes with it. */
const compiled = new WeakMap<ArgumentRules, readonly Check[]>();

/** For when they are read: `refuse` hears of each schema that cannot be enforced. */
export function compileRules(rules: ArgumentRules, refuse: (tool: string, problem: string) => void): void {
  const checks = Object.entries(rules).flatMap(([key, schema]) => {
    try {
      return [checkOf(key, schema)];
    } catch (error) {
      refuse(key, error instanceof Error ? error.message : String(error));
      return [];
    }
  });
  compiled.set(rules, checks);
}

/** `undefined` when every schema for the tool is fulfilled. */
export function argumentFault(
  rules: ArgumentRules,
  tool: string,
  args: JsonValue,
  budget: Budget,
): ArgumentFault | undefined {
  for (const check of checksOf(rules)) {
    if (!matchesGlob(check.key, tool)) continue;
    const wrong = fault(check, args, budget);
    if (wrong !== undefined) return { key: check.key, reason: `${wrong} (tool ${shown(tool)})` };
  }
  return undefined;
}

/** Whether the arguments are what all schemas say, where that can be told within the bounds. */
export function fulfils(rules: ArgumentRules, args: JsonValue, budget: Budget): 'yes' | 'no' | 'unjudged' {
  for (const check of checksOf(rules)) {
    const verdict = verdictOf(check, args, budget);
    if (verdict !== 'fulfilled') return verdict === 'not fulfilled' ? 'no' : 'unjudged';
  }
  return 'yes';
}

/** Whether some arguments of this tool are refused. */
export function constrains(rules: ArgumentRules | undefined, tool: string): boolean {
  return Object.keys(rules ?? {}).some((key) => matchesGlob(key, tool));
}

function checksOf(rules: ArgumentRules): readonly Check[] {
  const known = compiled.get(rules);
  if (known) return known;
  const checks = Object.entries(rules).map(([key, schema]) => checkOf(key, schema));
  compiled.set(rules, checks);
  return checks;
}

function checkOf(key: string, schema: ArgumentSchema): Check {
  if ('type' in schema && schema['type'] !== 'object') throw new Error('arguments are always an object');
  const spending = { from: { left: 0 } };
  const engine = (source: string): LinearPattern => new LinearPattern(source, (steps) => spend(spending.from, steps));
  const ajv = new Ajv2020({
    strict: true, // A keyword beside the wrong type would hold for nothing.
    allowUnionTypes: true,
    strictRequired: false,
    strictTuples: false, // Fewer or more elements are what minItems and items are for.
    meta: false, // Its shape was checked when the file was read.
    validateSchema: false,
    logger: false,
    code: { regExp: Object.assign(engine, { code: 'LinearPattern' }) },
  });
  const validate = ajv.compile({ type: 'object', ...schema });
  return { key, validate, schemas: countSchemas(schema), spending };
}

/** Anything else is the reason why it cannot be judged. */
function verdictOf(
  { validate, schemas, spending }: Check,
  args: JsonValue,
  budget: Budget,
): 'fulfilled' | 'not fulfilled' | { unjudged: string } {
  const values = countValues(args, maxValues);
  if (values > maxValues) return { unjudged: `the arguments hold more than ${maxValues} values` };
  spending.from = budget;
  try {
    spend(budget, values * schemas);
    return validate(args) ? 'fulfilled' : 'not fulfilled';
  } catch (error) {
    if (error instanceof Unjudgeable) return { unjudged: `an argument cannot be judged: it ${error.message}` };
    throw error;
  }
}

function fault(check: Check, args: JsonValue, budget: Budget): string | undefined {
  const { validate } = check;
  const verdict = verdictOf(check, args, budget);
  if (verdict === 'fulfilled') return undefined;
  if (verdict !== 'not fulfilled') return verdict.unjudged;
  const errors = validate.errors ?? [];
  // The last one says what a combination wanted; of `if` only the branch does.
  const last = errors.at(-1);
  const telling = last?.keyword === 'if' ? errors[0] : last;
  return telling ? sentence(telling) : 'the arguments are not what is demanded';
}

function sentence({ instancePath, keyword, params, message = 'is not what is demanded' }: ErrorObject): string {
  const given = params as { [name: string]: unknown };
  if (keyword === 'required')
    return `${argument(`${instancePath}/${escaped(given['missingProperty'])}`)} must be given`;
  if (keyword === 'additionalProperties') {
    return `${argument(`${instancePath}/${escaped(given['additionalProperty'])}`)} must not be given`;
  }
  const wanted = keyword === 'const' ? given['allowedValue'] : keyword === 'enum' ? given['allowedValues'] : undefined;
  const expected =
    wanted === undefined ? message : `must be ${keyword === 'enum' ? 'one of ' : ''}${JSON.stringify(wanted)}`;
  return `${argument(instancePath)} ${cut(expected)}`;
}

/** A JSON Pointer (RFC 6901): parts of it may be an agent's. */
function argument(pointer: string): string {
  return pointer === '' ? 'the arguments together' : `the argument ${shown(pointer)}`;
}

function escaped(name: unknown): string {
  return String(name).replaceAll('~', '~0').replaceAll('/', '~1');
}

function cut(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** Counts no further than one more than `most`. */
function countValues(args: JsonValue, most: number): number {
  const waiting: JsonValue[] = [args];
  let values = 0;
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    values += 1;
    if (values + waiting.length > most) return most + 1;
    if (Array.isArray(value)) for (const element of value) waiting.push(element);
    else if (isJsonObject(value)) for (const member of Object.values(value)) waiting.push(member);
  }
  return values;
}
