// This machine's key for sealing audit logs: made once, the private half readable by its user alone, the public half
// beside it for whoever is to check a log elsewhere.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import { makeSigner, publicKeyHex, type Signer } from './signedRecord.ts';

export type KeyFiles = {
  /** PKCS #8 PEM. */
  private: string;
  /** SPKI PEM. */
  public: string;
};

/** Makes the key when there is none. Throws `CONFIG_INVALID` for a file that is none, `STATE_UNWRITABLE`. */
export async function loadSigner(files: PrivateFiles, paths: KeyFiles): Promise<Signer> {
  // Under the file's lock: of two helpers that start at the same time, one makes the key and the other reads it.
  const text = (await files.read(paths.private)) ?? (await files.update(paths.private, (old) => old ?? newKey()));
  const privateKey = parse(paths.private, () => createPrivateKey(text));
  const publicKey = createPublicKey(privateKey);
  const publicText = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  if ((await files.read(paths.public)) !== publicText) await files.write(paths.public, publicText);
  return makeSigner(privateKey);
}

/** The public key as 64 hex digits; `undefined` when this machine has none yet. Throws `CONFIG_INVALID`. */
export async function readPublicKey(files: PrivateFiles, paths: KeyFiles): Promise<string | undefined> {
  const text = await files.read(paths.public);
  return text === undefined ? undefined : publicKeyHex(parse(paths.public, () => createPublicKey(text)));
}

function newKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function parse(file: string, read: () => KeyObject): KeyObject {
  const advice = 'put the right file back; or move it away, and logs are signed by a new key from then on';
  try {
    const key = read();
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new TunnelError('CONFIG_INVALID', `${file} is not a PEM key: ${advice}`, { cause, data: { file } });
  }
  throw new TunnelError('CONFIG_INVALID', `${file} is not an Ed25519 key: ${advice}`, { data: { file } });
}
