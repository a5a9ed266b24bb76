// Certificate authorities of this machine's owner, as the field names them: a file in `NODE_EXTRA_CA_CERTS` or
// `SSL_CERT_FILE`, beside the public ones. Node adds the first one only where a program hands in no list of its own, as
// this one does, and says nothing of a file that is of no use.
import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import * as tls from 'node:tls';
import { systemCode, TunnelError } from '../core/errors.ts';

const variables = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE'] as const;

/** A system's whole bundle has about 250 kB. */
export const maxBundleBytes = 4 << 20;

/** PEM, one certificate each. Throws `CONFIG_INVALID` naming variable and file. */
export async function extraAuthorities(env: Readonly<Record<string, string | undefined>>): Promise<string[]> {
  const files = variables.flatMap((name) => (env[name] ? [{ name, file: env[name] }] : []));
  return (await Promise.all(files.map(({ name, file }) => readBundle(name, file)))).flat();
}

/** What the runtime trusts by itself: the public authorities, and where it was told so those of the system. */
export function publicAuthorities(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (kind: 'default') => string[] }; // Since Node 22.15.
  return getCACertificates?.('default') ?? rootCertificates;
}

async function readBundle(name: string, file: string): Promise<string[]> {
  const unfit = (what: string, cause?: unknown): TunnelError =>
    new TunnelError('CONFIG_INVALID', `${name} names ${file}, ${what}`, { cause, data: { file } });
  let text: string;
  try {
    if ((await stat(file)).size > maxBundleBytes) throw unfit(`which has more than ${maxBundleBytes >> 20} MiB`);
    text = await readFile(file, 'latin1');
  } catch (cause) {
    if (cause instanceof TunnelError) throw cause;
    throw unfit(`which cannot be read (${systemCode(cause) ?? 'unknown error'})`, cause);
  }
  const found =
    text.match(/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END [A-Z0-9 ]*CERTIFICATE-----/g) ?? [];
  if (found.length === 0) throw unfit('which holds no certificate: a bundle is PEM text');
  return found.map((pem, place) => {
    try {
      return new X509Certificate(pem).toString();
    } catch (cause) {
      throw unfit(`whose certificate ${place + 1} cannot be read`, cause);
    }
  });
}
