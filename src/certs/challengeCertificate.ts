// What a certificate authority is shown when it looks whether a name is ours (TLS-ALPN-01, RFC 8737 §3): a certificate
// for just that name, signed with its own key, that holds the digest of what the authority asked for.
import { createHash } from 'node:crypto';
import { clockSkewMs, signCertificate } from './x509.ts';
import type { KeyPair } from './keyPair.ts';

const validMs = 3_600_000;

export function challengeCertificate(name: string, keyAuthorization: string, key: KeyPair, nowMs: number): string {
  const spec = {
    kind: 'challenge' as const,
    commonName: 'MCP Tunnel challenge',
    names: [{ kind: 'dns' as const, name }],
    digest: createHash('sha256').update(keyAuthorization).digest(),
    publicKey: key.publicKey,
    notBeforeMs: nowMs - clockSkewMs,
    notAfterMs: nowMs + validMs,
  };
  return signCertificate(spec, key.privateKey);
}
