// How an agent is recognised that comes without a token of ours: by a secret in the path, by a certificate of a named
// authority, or by a JWT of a named issuer. What is kept of it stands in the grant, which is judged like any other.
import { z } from 'zod';

/** Of the PEM text of an authority; a root certificate has one or two thousand characters. */
export const maxAuthorityLength = 8_192;

/** Of the name that a certificate or a JWT gives its holder (OpenID Connect Core §2: 255); a longer one is cut or refused. */
export const maxSubjectLength = 255;

/** Claims that a JWT must have besides issuer and audience. */
export const maxClaims = 20;

// oxlint-disable-next-line no-control-regex
const PRINTABLE = /^[^\x00-\x1f\x7f]+$/;

const text = z.string().min(1).max(512).regex(PRINTABLE, 'no control characters');

const httpsUrl = text.refine(isHttpsUrl, 'not an https URL without a user name and a fragment');

/** OpenID Connect Discovery §4.3, RFC 8414 §2: an issuer has neither query nor fragment, and is compared as a string. */
const issuer = httpsUrl.refine((url) => !url.includes('?'), 'an issuer has no query');

const claims = z
  .record(text, text)
  .refine((named) => Object.keys(named).length <= maxClaims, `at most ${maxClaims} claims`)
  .refine((named) => !('iss' in named || 'aud' in named || 'exp' in named), 'iss, aud and exp are checked anyway');

const jwt = z.strictObject({
  kind: z.literal('jwt'),
  issuer,
  audience: text,
  /** Where the issuer's keys are; found by its metadata when absent. */
  jwks: httpsUrl.optional(),
  /** Each must be there with just this value, or be a list that holds it. */
  claims: claims.optional(),
});

const pathSecret = z.strictObject({ kind: z.literal('path-secret') });

const caPem = z.string().min(1).max(maxAuthorityLength);
/** One of the certificate's names: its common name, or an alternative one. Absent: every certificate of the authority. */
const name = text.optional();

export const newWaySchema = z.discriminatedUnion('kind', [
  pathSecret,
  z.strictObject({ kind: z.literal('certificate'), caPem, name }),
  jwt,
]);

export const storedWaySchema = z.discriminatedUnion('kind', [
  pathSecret,
  /** `ca`: SHA-256 of the authority's certificate, hex. */
  z.strictObject({ kind: z.literal('certificate'), ca: z.string().regex(/^[0-9a-f]{64}$/), caPem, name }),
  jwt,
]);

export type StoredWay = z.infer<typeof storedWaySchema>;
export type StoredCertificateWay = Extract<StoredWay, { kind: 'certificate' }>;
export type JwtWay = Extract<StoredWay, { kind: 'jwt' }>;

export type JwtTerms = {
  kind: 'jwt';
  issuer: string;
  audience: string;
  jwks?: string;
  claims?: Record<string, string>;
};

/** As a person asks for it. */
export type NewWay = { kind: 'path-secret' } | { kind: 'certificate'; caPem: string; name?: string } | JwtTerms;

/** As it is shown: an authority by its fingerprint (SHA-256, hex). */
export type Way = { kind: 'path-secret' } | { kind: 'certificate'; ca: string; name?: string } | JwtTerms;

/** What the URL of whoever holds the secret has in place of `/mcp`. */
export function secretPath(secret: string): string {
  return `/s/${secret}/mcp`;
}

/** A copy that nobody shares, without the PEM. */
export function describedWay(way: StoredWay): Way {
  switch (way.kind) {
    case 'path-secret':
      return { kind: 'path-secret' };
    case 'certificate':
      return { kind: 'certificate', ca: way.ca, ...(way.name === undefined ? {} : { name: way.name }) };
    case 'jwt':
      return {
        kind: 'jwt',
        issuer: way.issuer,
        audience: way.audience,
        ...(way.jwks === undefined ? {} : { jwks: way.jwks }),
        ...(way.claims === undefined ? {} : { claims: { ...way.claims } }),
      };
  }
}

function isHttpsUrl(candidate: string): boolean {
  try {
    const url = new URL(candidate);
    return url.protocol === 'https:' && url.username === '' && url.password === '' && !candidate.includes('#');
  } catch {
    return false;
  }
}
