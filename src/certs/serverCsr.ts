// The request for a server's certificate (PKCS #10, RFC 2986) as ACME wants it (RFC 8555 §7.4): no subject, and the
// names in the extension that is asked for.
import { decode, oid, pem, sequence, set, smallInteger, tagged } from './der.ts';
import type { KeyPair } from './keyPair.ts';
import { subjectAltName, type AltName } from './subjectAltName.ts';
import { extension, signed, spki } from './x509.ts';

/** PKCS #9 `extensionRequest`. */
const extensionRequest = '1.2.840.113549.1.9.14';

export function createServerCsr(key: KeyPair, names: readonly AltName[]): string {
  const wanted = sequence(extension('subjectAltName', false, subjectAltName(names)));
  const attributes = tagged(0, [sequence(oid(extensionRequest), set(wanted))]);
  const info = sequence(smallInteger(0), sequence(), decode(spki(key.publicKey)), attributes);
  return pem('CERTIFICATE REQUEST', signed(info, key.privateKey));
}
