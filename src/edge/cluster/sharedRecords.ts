// What the nodes of an edge tell each other through the registry, one record under each key. Anybody who may write to the
// registry could write anything there, so each record is read strictly and must fit its key; what does not is nobody's.
import { createHash, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { isConnectorId } from '../../certs/connectorId.ts';
import { isNodeId } from '../../certs/nodeId.ts';
import { parseAdmission, type Admission } from '../../core/admission.ts';
import { labelProblem } from '../../core/hostname.ts';
import { claimSchema, connectorSchema, tokenSchema } from '../edgeRecords.ts';

const ms = z.number().int().nonnegative();
const nodeId = z.string().refine(isNodeId, 'not a node id');
const connectorId = z.string().refine(isConnectorId, 'not a connector id');
const label = z.string().refine((text) => labelProblem(text) === undefined, 'not a label');
const text = z.string().min(1).max(256);
const admission = z.unknown().transform((value, context): Admission => {
  try {
    return parseAdmission(value);
  } catch {
    context.addIssue({ code: 'custom', message: 'not an admission' });
    return z.NEVER;
  }
});

/** A node that is up, as long as this comes again within `leaseMs` of the reader's own time. */
export const nodeSchema = z.strictObject({
  id: nodeId,
  /** Where the other nodes dial it, `host:port`. */
  address: text,
  /** Where connectors dial it. */
  publicAddress: text,
  leaseMs: z.number().int().min(500).max(600_000),
  startedMs: ms,
});

/** One node serves a name, through links of one run of its connector. It lives as long as the node's lease. */
export const routeSchema = z.strictObject({
  label,
  node: nodeId,
  connector: connectorId,
  instance: text,
  run: text,
  sinceMs: ms,
  admission: admission.optional(),
});

/** Which run of which instance may serve a name now, on any node. */
export const holdSchema = z.strictObject({ label, connector: connectorId, instance: text, run: text });

const schemas = {
  connector: connectorSchema,
  claim: claimSchema,
  token: tokenSchema,
  node: nodeSchema,
  route: routeSchema,
  hold: holdSchema,
};
export type Kind = keyof typeof schemas;
export const kinds = Object.keys(schemas) as readonly Kind[];
export type RecordOf<K extends Kind> = z.infer<(typeof schemas)[K]>;
export type NodeRecord = RecordOf<'node'>;
export type RouteRecord = RecordOf<'route'>;

/** Under its kind; of each record, what of it is in the key. */
const ids: { [K in Kind]: (record: RecordOf<K>) => string } = {
  connector: ({ id }) => id,
  claim: ({ label }) => label,
  token: ({ digest }) => digest,
  node: ({ id }) => id,
  route: ({ label, node }) => `${label}.${node}`,
  hold: ({ label }) => label,
};

export const keyOf = (kind: Kind, id: string): string => `${kind}.${id}`;

/** The kind and the rest of a key; `undefined` for keys that are none of ours. */
export function splitKey(key: string): { kind: Kind; id: string } | undefined {
  const dot = key.indexOf('.');
  const kind = kinds.find((one) => one === key.slice(0, dot));
  return kind && dot > 0 ? { kind, id: key.slice(dot + 1) } : undefined;
}

/** `undefined` for what is no such record, or one under another's key. */
export function parseRecord<K extends Kind>(kind: K, id: string, json: string): RecordOf<K> | undefined {
  const result = schemas[kind].safeParse(parseJson(json));
  if (!result.success) return undefined;
  const record = result.data as RecordOf<K>;
  return ids[kind](record) === id ? record : undefined;
}

const metaSchema = z.strictObject({
  version: z.literal(1),
  /** Made with the bucket: another one says that the bucket was lost and made again. */
  bucket: z.string().min(8).max(64),
  domain: z.string(),
  /** SHA-256 of the CA that all nodes share. */
  ca: z.string(),
});
export type Meta = z.infer<typeof metaSchema>;

export function parseMeta(json: string | undefined): Meta | undefined {
  return json === undefined ? undefined : metaSchema.safeParse(parseJson(json)).data;
}

export function fingerprintOf(certificatePem: string): string {
  return createHash('sha256').update(new X509Certificate(certificatePem).raw).digest('hex');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
