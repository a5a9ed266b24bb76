// Checks a JWT against the terms of grants (RFC 7519, RFC 8725): the issuer's own key must have signed it, for our
// audience, with the claims that the grant asks for, and it must be valid now. Where keys come from is said by the grant;
// a token's header only picks one of the issuer's.
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type JSONWebKeySet,
  type JWTPayload,
  type ProtectedHeaderParameters,
} from 'jose';
import type { Clock } from '../../core/clock.ts';
import { printable } from '../../core/printable.ts';
import type { Proof } from '../grants.ts';
import { maxSubjectLength, type JwtWay } from '../way.ts';
import type { IssuerKeys } from './issuerKeys.ts';

/** Signatures by a key pair only: with a shared secret, whoever can check a token could also make one. */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** How far the issuer's clock may be from ours. */
export const toleranceS = 30;

/** What a token has proved, before anybody has asked whether the grants behind it still live. */
export type JwtProof = { kind: 'proved'; proofs: readonly Proof[] } | { kind: 'refused'; why: 'unknown' | 'expired' };

/** A grant, and what it asks of a token. */
export type JwtTerms = { id: string; way: JwtWay };

type Checked = { kind: 'valid'; signed: Omit<Proof, 'grant'> } | { kind: 'refused'; why: 'unknown' | 'expired' };
type Checks = { clock: Clock; keys: IssuerKeys };

/** Never throws: what cannot be checked is refused. */
export async function verifyJwt(token: string, terms: readonly JwtTerms[], checks: Checks): Promise<JwtProof> {
  const told = read(token);
  // Nothing is fetched and no signature checked for a token that would not be taken anyway.
  const fitting = told ? terms.filter(({ way }) => fits(told.payload, way)) : [];
  if (!told || fitting.length === 0) return { kind: 'refused', why: 'unknown' };
  const proofs: Proof[] = [];
  let why: 'unknown' | 'expired' = 'unknown';
  for (const group of bySource(fitting)) {
    const checked = await check(token, told.header, group[0]!.way, checks);
    if (checked.kind === 'valid') proofs.push(...group.map(({ id }) => ({ grant: id, ...checked.signed })));
    else if (checked.why === 'expired') why = 'expired';
  }
  return proofs.length > 0 ? { kind: 'proved', proofs } : { kind: 'refused', why };
}

async function check(
  token: string,
  header: ProtectedHeaderParameters,
  way: JwtWay,
  { clock, keys }: Checks,
): Promise<Checked> {
  const set = await keys.keysOf(way, header);
  if (!set) return { kind: 'refused', why: 'unknown' };
  try {
    const { payload } = await jwtVerify(token, resolverOf(set), {
      algorithms,
      issuer: way.issuer,
      audience: way.audience,
      requiredClaims: ['exp'],
      clockTolerance: toleranceS,
      currentDate: new Date(clock.now()),
    });
    return { kind: 'valid', signed: { ...subjectOf(payload), untilMs: (payload.exp! + toleranceS) * 1000 } };
  } catch (error) {
    // Whatever else is wrong with it, a stranger hears nothing of it and the audit log needs no more.
    return { kind: 'refused', why: error instanceof errors.JWTExpired ? 'expired' : 'unknown' };
  }
}

const resolvers = new WeakMap<JSONWebKeySet, ReturnType<typeof createLocalJWKSet>>();

/** Keys are imported once for all tokens. */
function resolverOf(set: JSONWebKeySet): ReturnType<typeof createLocalJWKSet> {
  const resolver = resolvers.get(set) ?? createLocalJWKSet(set);
  resolvers.set(set, resolver);
  return resolver;
}

function read(token: string): { header: ProtectedHeaderParameters; payload: JWTPayload } | undefined {
  try {
    const header = decodeProtectedHeader(token);
    const payload = decodeJwt(token);
    return algorithms.includes(header.alg ?? '') && isSubject(payload.sub) ? { header, payload } : undefined;
  } catch {
    return undefined; // It is no JWT.
  }
}

function isSubject(sub: unknown): boolean {
  if (sub === undefined) return true;
  // Two that are shown alike would be one principal, with the same sessions.
  return typeof sub === 'string' && sub.length <= maxSubjectLength && printable(sub) === sub;
}

/** What the grant asks for, apart from the signature and the time. */
function fits(payload: JWTPayload, { issuer, audience, claims = {} }: JwtWay): boolean {
  if (payload.iss !== issuer || !holds(payload.aud, audience)) return false;
  return Object.entries(claims).every(([name, value]) => Object.hasOwn(payload, name) && holds(payload[name], value));
}

/** Strings are compared as they are; a number or a truth value by its JSON text. */
function holds(claim: unknown, value: string): boolean {
  if (Array.isArray(claim)) return claim.some((one) => one === value);
  return claim === value || ((typeof claim === 'number' || typeof claim === 'boolean') && String(claim) === value);
}

function subjectOf({ sub }: JWTPayload): Pick<Proof, 'subject'> {
  return sub === undefined || sub === '' ? {} : { subject: sub };
}

/** Those that are checked with the same keys, for the same audience, are checked once. */
function bySource(terms: readonly JwtTerms[]): JwtTerms[][] {
  const groups = new Map<string, JwtTerms[]>();
  for (const term of terms) {
    const { issuer, jwks, audience } = term.way;
    const key = JSON.stringify([issuer, jwks, audience]);
    groups.set(key, [...(groups.get(key) ?? []), term]);
  }
  return [...groups.values()];
}
