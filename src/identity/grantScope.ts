// What a grant narrows. An absent list narrows nothing by itself; but once one of the four lists is there, the grant
// gives what its lists name and nothing else (`policy/access.ts` judges it so).
import { z } from 'zod';

const pattern = z.string().min(1).max(512);
/** At most 200 patterns a list; a grant that needs more is better said with `*`. */
const patterns = z.array(pattern).max(200);

/** In the order in which they are kept and shown. */
export const scopeSchema = z.strictObject({
  methods: patterns.optional(),
  tools: patterns.optional(),
  prompts: patterns.optional(),
  resources: patterns.optional(),
  readOnly: z.boolean().optional(),
});

export const serversSchema = z.array(z.string().min(1).max(256)).min(1).max(100);

/** What may be done; where, is said by `servers`. */
export type Scope = {
  methods?: string[];
  tools?: string[];
  prompts?: string[];
  resources?: string[];
  readOnly?: boolean;
};

export type GrantScope = Scope & { servers: string[] };

/** A copy that nobody shares. */
export function copyScope(scope: {
  servers: readonly string[];
  methods?: readonly string[] | undefined;
  tools?: readonly string[] | undefined;
  prompts?: readonly string[] | undefined;
  resources?: readonly string[] | undefined;
  readOnly?: boolean | undefined;
}): GrantScope {
  const { servers, methods, tools, prompts, resources, readOnly } = scope;
  return {
    servers: [...servers],
    ...(methods === undefined ? {} : { methods: [...methods] }),
    ...(tools === undefined ? {} : { tools: [...tools] }),
    ...(prompts === undefined ? {} : { prompts: [...prompts] }),
    ...(resources === undefined ? {} : { resources: [...resources] }),
    ...(readOnly === undefined ? {} : { readOnly }),
  };
}
