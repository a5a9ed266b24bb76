// A certificate of the kind that tunnels show: P-256, one authority above it.
import { Authority } from '../../../src/certs/authority.ts';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { systemClock as clock } from '../../../src/core/clock.ts';
import type { PrivateFiles } from '../../../src/core/files.ts';

/** PEM both. */
export async function selfSigned(): Promise<{ keyPem: string; certificatePem: string }> {
  const files: PrivateFiles = {
    read: async () => undefined,
    write: async () => {},
    update: async (_path, change) => change(undefined),
  };
  const authority = await Authority.loadOrCreate({ files, folder: '', commonName: 'Bench', clock });
  const { publicKey, privateKeyPem } = await makeKeyPair();
  const names = ['bench.localhost', '127.0.0.1'];
  return { keyPem: privateKeyPem, certificatePem: authority.issueServer({ names, publicKey, days: 2 }) };
}
