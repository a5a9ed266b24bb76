// A pin names a key, not a certificate: `sha256/` and the base64 SHA-256 of the SubjectPublicKeyInfo (as RFC 7469).
// It stays the same when a certificate is renewed with the same key.
import { createHash, timingSafeEqual, type X509Certificate } from 'node:crypto';

const PIN = /^sha256\/[A-Za-z0-9+/]{43}=$/;

export function isPin(text: string): boolean {
  return PIN.test(text);
}

export function pinOf(certificate: X509Certificate): string {
  const key = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return `sha256/${createHash('sha256').update(key).digest('base64')}`;
}

/** Constant time. False for a pin that is none and for a key that cannot be read. */
export function matchesPin(certificate: X509Certificate, pin: string): boolean {
  let seen: string;
  try {
    seen = pinOf(certificate);
  } catch {
    return false; // A key of a kind that this process does not know is not the pinned one.
  }
  return isPin(pin) && timingSafeEqual(Buffer.from(seen), Buffer.from(pin));
}
