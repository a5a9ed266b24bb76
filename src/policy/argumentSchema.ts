// The part of JSON Schema (2020-12) in which a policy says what arguments must be. Nothing refers to anything else, so a
// check costs no more than schema times arguments; a keyword that is not here is refused, since one that is silently
// ignored would be a rule that does not hold.
import { z } from 'zod';

/** Schemas in one file, those within others included: making functions of that many takes half a second. */
export const maxSchemas = 1_000;

const scalar = z.union([z.string().max(512), z.number(), z.boolean(), z.null()]);
const count = z.int().min(0).max(1_000_000);
const names = z.array(z.string().max(512)).max(200);
const typeName = z.enum(['string', 'number', 'integer', 'boolean', 'object', 'array', 'null']);

const self = z.lazy((): z.ZodType<ArgumentSchema> => argumentSchema);
const several = z.array(self).min(1).max(50);
const named = z.record(z.string().max(512), self);

export const argumentSchema = z.strictObject({
  $comment: z.string().optional(),
  title: z.string().optional(),
  description: z.string().optional(),
  type: z
    .json()
    .superRefine((value, context) => {
      const good = Array.isArray(value) ? z.array(typeName).min(1).safeParse(value) : typeName.safeParse(value);
      if (!good.success) context.addIssue({ code: 'custom', message: `is none of ${typeName.options.join(', ')}` });
    })
    .optional(),
  const: scalar.optional(),
  enum: z.array(scalar).min(1).max(200).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  exclusiveMaximum: z.number().optional(),
  multipleOf: z.number().positive().optional(),
  minLength: count.optional(),
  maxLength: count.optional(),
  pattern: z.string().max(512).optional(),
  properties: named.optional(),
  required: names.optional(),
  propertyNames: self.optional(),
  minProperties: count.optional(),
  maxProperties: count.optional(),
  additionalProperties: orBoolean().optional(),
  items: orBoolean().optional(),
  prefixItems: several.optional(),
  contains: self.optional(),
  minItems: count.optional(),
  maxItems: count.optional(),
  allOf: several.optional(),
  anyOf: several.optional(),
  oneOf: several.optional(),
  not: self.optional(),
  if: self.optional(),
  // oxlint-disable-next-line unicorn/no-thenable -- the keyword's name
  then: self.optional(),
  else: self.optional(),
});

/** Read by ajv; its shape was checked above. */
export type ArgumentSchema = { readonly [keyword: string]: unknown };

/** A schema, or `true` or `false` for anything and nothing; not a union, whose problems would have no place. */
function orBoolean(): z.ZodType<z.core.util.JSONType> {
  return z.json().superRefine((value, context) => {
    if (typeof value === 'boolean') return;
    const result = argumentSchema.safeParse(value);
    for (const issue of result.error?.issues ?? []) {
      const keys = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
      const message = keys.length > 0 ? 'is not a key that a policy has' : issue.message;
      context.addIssue({ code: 'custom', path: [...issue.path, ...keys], message });
    }
  });
}

/** Counts at least each schema in it. */
export function countSchemas(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const inside = Object.values(value).reduce<number>((sum, part) => sum + countSchemas(part), 0);
  return inside + (Array.isArray(value) ? 0 : 1);
}
