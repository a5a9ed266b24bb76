// What an edge remembers, record by record: unspent tokens, connectors, who owns which label. An edge's file holds all
// of them, a cluster's store one under each key; the rules beside (`tokenRules`, `connectorRules`, `labelRules`) know
// one record at a time and nothing of where it is kept.
import { z } from 'zod';
import { isConnectorId } from '../certs/connectorId.ts';

const ms = z.number().int().nonnegative();
const connectorId = z.string().refine(isConnectorId, 'not a connector id');
/** Globs of the names that may be used; absent means any. */
const labels = z.array(z.string()).optional();

export const tokenSchema = z.strictObject({
  /** SHA-256 of the text, which nobody keeps. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  labels,
  expiresMs: ms,
  /** Enrols this connector again, whose names it keeps; absent makes a new one. */
  connector: connectorId.optional(),
});

export const connectorSchema = z.strictObject({
  id: connectorId,
  labels,
  enrolledMs: ms,
  /** The end of the newest certificate it was given. */
  expiresMs: ms,
  revokedMs: ms.optional(),
  /** When it was given new certificates, within the last day. */
  renewalsMs: z.array(ms).optional(),
});

export const claimSchema = z.strictObject({ label: z.string(), connector: connectorId, claimedMs: ms, usedMs: ms });

export type TokenRecord = z.infer<typeof tokenSchema>;
export type ConnectorRecord = z.infer<typeof connectorSchema>;
export type Claim = z.infer<typeof claimSchema>;
