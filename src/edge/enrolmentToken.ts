// One-time enrolment tokens: `mcpe_` and 24 random bytes in base 62. The edge keeps their SHA-256 and never the text;
// with 192 random bits a plain digest is enough.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const digits = 33; // 62^33 > 2^192
const TOKEN = /^mcpe_[0-9A-Za-z]{33}$/;

export function makeEnrolmentToken(): string {
  let rest = BigInt(`0x${randomBytes(24).toString('hex')}`);
  let text = '';
  for (let digit = 0; digit < digits; digit++) {
    text = (alphabet[Number(rest % 62n)] ?? '') + text;
    rest /= 62n;
  }
  return `mcpe_${text}`;
}

export function isEnrolmentToken(text: string): boolean {
  return TOKEN.test(text);
}

export function tokenDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Looks at every entry, in constant time each: how long it takes says nothing of how close a guess was. */
export function findByToken<T extends { digest: string }>(entries: readonly T[], text: string): T | undefined {
  const wanted = Buffer.from(tokenDigest(text));
  let found: T | undefined;
  for (const entry of entries) {
    const digest = Buffer.from(entry.digest);
    if (digest.length === wanted.length && timingSafeEqual(digest, wanted)) found = entry;
  }
  return found;
}
