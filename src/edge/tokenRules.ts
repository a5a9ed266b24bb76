// What holds for enrolment tokens, wherever they are kept: how one is made, and when it may be spent.
import { TunnelError } from '../core/errors.ts';
import type { ConnectorRecord, TokenRecord } from './edgeRecords.ts';
import { isEnrolmentToken, makeEnrolmentToken, tokenDigest } from './enrolmentToken.ts';
import { checkScope } from './labelScope.ts';

export const defaultTokenMs = 3_600_000;
/** At this number the edge refuses with `LIMIT`; nothing that is there is pushed out. */
export const maxUnspentTokens = 1_000;

/** `connector` is one that this edge knows: it is to be enrolled again. */
export type TokenWish = { labels?: readonly string[]; connector?: string; expiresMs?: number };

/** The text exists in the answer only. Throws `USAGE` for bad globs. */
export function makeToken(wish: TokenWish, nowMs: number): { token: string; record: TokenRecord } {
  const { labels, connector, expiresMs = nowMs + defaultTokenMs } = wish;
  if (labels) checkScope(labels);
  const token = makeEnrolmentToken();
  const record: TokenRecord = { digest: tokenDigest(token), expiresMs };
  if (labels) record.labels = [...labels];
  if (connector !== undefined) record.connector = connector;
  return { token, record };
}

/** Whom a token may be made for, so that a slip shows where it was made. Throws `NOT_FOUND`, `USAGE`. */
export function checkEnrollable(id: string, connector: ConnectorRecord | undefined): void {
  if (!connector) throw unknownConnector(id);
  if (connector.revokedMs === undefined) return;
  throw new TunnelError('USAGE', `connector ${id} is revoked and its names are gone: make a token without --connector`);
}

/** By what a token is named without being shown: no other has the same digest, and nobody learns the text from it. */
export const tokenId = ({ digest }: Pick<TokenRecord, 'digest'>): string => `token-${digest.slice(0, 16)}`;

/** No connector's id has a hyphen. */
export const isTokenId = (text: string): boolean => text.startsWith('token-');

/** What is kept under the digest of `text`, if it may be spent now. Throws `ENROLMENT_REFUSED`, never saying why. */
export function checkSpendable(text: string, found: TokenRecord | undefined, nowMs: number): TokenRecord {
  if (found && isEnrolmentToken(text) && found.expiresMs > nowMs) return found;
  throw tokenRefused();
}

export const tokenRefused = (): TunnelError =>
  new TunnelError(
    'ENROLMENT_REFUSED',
    'the enrolment token is not valid here (unknown, used or expired): ask for a new one',
  );

export const unknownConnector = (id: string): TunnelError =>
  new TunnelError('NOT_FOUND', `this edge knows no connector ${id}; “mcp-tunnel edge routes” lists them`);
