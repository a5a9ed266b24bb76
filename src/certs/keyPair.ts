// Keys are P-256 everywhere: a handshake costs a tenth of RSA's, and every TLS stack knows the curve.
// node:crypto makes them; they are kept as PKCS #8 PEM.
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { TunnelError } from '../core/errors.ts';

/** As OpenSSL calls P-256; BoringSSL (Electron) knows both names. */
const curve = 'prime256v1';

export type KeyPair = { privateKeyPem: string; privateKey: KeyObject; publicKey: KeyObject };

export async function makeKeyPair(): Promise<KeyPair> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('ec', { namedCurve: curve });
  return { privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), privateKey, publicKey };
}

/** Throws `CERTIFICATE_INVALID` when `pem` holds no unencrypted P-256 private key. */
export function loadKey(pem: string): KeyPair {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch (cause) {
    throw new TunnelError('CERTIFICATE_INVALID', 'the private key is not an unencrypted PEM key', { cause });
  }
  if (!isP256(privateKey)) throw new TunnelError('CERTIFICATE_INVALID', 'the private key is not a P-256 key');
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { privateKeyPem, privateKey, publicKey: createPublicKey(privateKey) };
}

export function isP256(key: KeyObject): boolean {
  return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === curve;
}
