// What an edge remembers, as one JSON file. Read strictly: an edge that cannot read its own file refuses to run rather
// than forget who owns what.
import { z } from 'zod';
import { TunnelError } from '../core/errors.ts';
import { claimSchema, connectorSchema, tokenSchema } from './edgeRecords.ts';

export const edgeFile = 'edge.json';

const schema = z.strictObject({
  version: z.literal(1),
  tokens: z.array(tokenSchema),
  connectors: z.array(connectorSchema),
  claims: z.array(claimSchema),
});

export type EdgeFile = z.infer<typeof schema>;

/** Throws `CONFIG_INVALID` naming the file and the place in it. */
export function parseEdgeFile(text: string | undefined, path: string): EdgeFile {
  if (text === undefined) return { version: 1, tokens: [], connectors: [], claims: [] };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw invalid(path, 'is not JSON', cause);
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw invalid(path, `is wrong at ${issue?.path.join('.') || 'its top'} (${issue?.message})`, result.error);
}

export function printEdgeFile(file: EdgeFile): string {
  return `${JSON.stringify(file, null, 1)}\n`;
}

function invalid(path: string, why: string, cause: unknown): TunnelError {
  const fix = 'restore it from a backup, or move it away and enroll every connector again';
  return new TunnelError('CONFIG_INVALID', `${path} ${why}: ${fix}`, { cause, data: { file: path } });
}
