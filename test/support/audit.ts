// A key for audit logs, and what a log needs besides its place.
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { makeSigner, type Signer } from '../../src/audit/signedRecord.ts';

export function aSigner(): Signer {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  return makeSigner(privateKey, Buffer.from(x, 'base64url').toString('hex'));
}
