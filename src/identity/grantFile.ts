// The file that holds the grants: read strictly (a file that cannot be understood lets nobody in), written whole.
// It holds digests of tokens, never a token.
import { z } from 'zod';
import { TunnelError } from '../core/errors.ts';
import { scopeSchema, serversSchema } from './grantScope.ts';
import { storedWaySchema } from './way.ts';

/** Grants in one file, ended ones included; at the bound a new one is refused. */
export const maxGrants = 1_000;

/** Token texts of one grant that may be good at the same time: the newest, and older ones in their overlap. */
export const maxDigests = 4;

/** How long an ended grant stays in the file, so that `agents list` can tell what became of it. */
export const keepEndedMs = 30 * 24 * 60 * 60 * 1000;

// oxlint-disable-next-line no-control-regex
const PRINTABLE = /^[^\x00-\x1f\x7f]+$/;

const nameLength = 'it has to have 1 to 64 characters';
const name = z.string().min(1, nameLength).max(64, nameLength).regex(PRINTABLE, 'it may have no control characters');
const time = z.int().nonnegative();

export const newGrantSchema = z.strictObject({
  name,
  servers: serversSchema,
  scope: scopeSchema,
  expiresMs: time,
});

/** What may be put in place of what a grant says; `servers` stay where they are not given. */
export const grantChangeSchema = z.strictObject({
  scope: scopeSchema.extend({ servers: serversSchema.optional() }).optional(),
  expiresMs: time.optional(),
  before: scopeSchema.extend({ servers: serversSchema }).optional(),
});

const storedGrantSchema = z.strictObject({
  id: z.string().min(1).max(64),
  name,
  scope: scopeSchema.extend({ servers: serversSchema }),
  createdMs: time,
  expiresMs: time,
  revokedMs: time.optional(),
  /** Of an agent that paired: the client it said to be, and where its access went. */
  paired: z.strictObject({ client: name, redirectHost: z.string().min(1).max(1_024) }).optional(),
  /** Of an agent that comes without a token of ours. */
  way: storedWaySchema.optional(),
  /** Of tokens or path secrets; none for an agent that paired (its tokens are kept elsewhere and change all the time) or that brings its own proof. Newest first; one with `untilMs` is an older text in its overlap. */
  digests: z
    .array(z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/), untilMs: time.optional() }))
    .max(maxDigests),
});

const fileSchema = z.strictObject({ version: z.literal(1), grants: z.array(storedGrantSchema).max(maxGrants) });

export type StoredGrant = z.infer<typeof storedGrantSchema>;

/** Throws `CONFIG_INVALID` naming the file and the place in it; an absent file holds no grants. */
export function parseGrants(text: string | undefined, file: string): StoredGrant[] {
  if (text === undefined) return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(file, '', 'it is not JSON', cause);
  }
  const result = fileSchema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw invalid(file, z.core.toDotPath(issue?.path ?? []), issue?.message ?? 'unknown', result.error);
  }
  const ids = new Set(result.data.grants.map((grant) => grant.id));
  if (ids.size < result.data.grants.length) throw invalid(file, 'grants', 'two grants have the same id', undefined);
  return result.data.grants;
}

/** Without those that ended long ago. Throws `LIMIT` when there are still too many. */
export function formatGrants(grants: readonly StoredGrant[], nowMs: number): string {
  const kept = grants.filter((grant) => (grant.revokedMs ?? grant.expiresMs) > nowMs - keepEndedMs);
  if (kept.length > maxGrants) throw new TunnelError('LIMIT', `at most ${maxGrants} grants can be kept; revoke some`);
  return `${JSON.stringify({ version: 1, grants: kept }, null, 2)}\n`;
}

function invalid(file: string, path: string, problem: string, cause: unknown): TunnelError {
  const place = path === '' ? '' : ` at ${path}`;
  const message = `the grants in ${file} cannot be read${place}: ${problem}; nobody is let in until the file is repaired or removed`;
  return new TunnelError('CONFIG_INVALID', message, { cause, data: { file, path } });
}
