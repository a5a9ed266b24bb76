// One item of VS Code's `inputs`: what a person is asked for, once. An input of the type `command` runs a command of
// another extension for its value; that is never done from here, so it counts as not defined.
import { z } from 'zod/mini';
import type { ServerInput } from '../core/server.ts';

const maxText = 2_000;
const text = z.string().check(z.maxLength(maxText));

const schema = z.object({
  id: z.string().check(z.minLength(1), z.maxLength(200)),
  type: z.optional(z.enum(['promptString', 'pickString'])),
  description: z.optional(text),
  default: z.optional(text),
  password: z.optional(z.boolean()),
  options: z.optional(z.array(z.union([text, z.object({ label: text, value: text })])).check(z.maxLength(200))),
});

export function readInput(item: unknown): ServerInput | undefined {
  const read = schema.safeParse(item);
  if (!read.success) return undefined;
  const { id, description, password, options, default: preset } = read.data;
  const choices = options?.map((option) => (typeof option === 'string' ? { label: option, value: option } : option));
  return {
    id,
    ...(description === undefined ? {} : { description }),
    ...(password === true ? { password } : {}),
    ...(preset === undefined ? {} : { default: preset }),
    ...(choices && choices.length > 0 ? { options: choices } : {}),
  };
}
