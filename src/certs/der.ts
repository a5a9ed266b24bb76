// The few ASN.1 shapes that X.509 and PKCS #10 are made of (DER, ITU-T X.690), over node-forge's encoder.
// forge keeps bytes in "binary strings"; they become Buffers at this file's edge and nowhere else.
import type { asn1 as Asn1 } from 'node-forge';
import asn1 from 'node-forge/lib/asn1.js';
import util from 'node-forge/lib/util.js';

export type Der = Asn1.Asn1;

// forge types the tag as a universal one, whatever the class.
const create: (tagClass: number, tag: number, constructed: boolean, value: string | Der[]) => Der = asn1.create;

const universal = (type: Asn1.Type, constructed: boolean, value: string | Der[]): Der =>
  create(asn1.Class.UNIVERSAL, type, constructed, value);

export const sequence = (...items: Der[]): Der => universal(asn1.Type.SEQUENCE, true, items);
export const set = (...items: Der[]): Der => universal(asn1.Type.SET, true, items);
export const boolean = (value: boolean): Der => universal(asn1.Type.BOOLEAN, false, value ? '\xff' : '\0');
export const utf8 = (text: string): Der => universal(asn1.Type.UTF8, false, util.encodeUtf8(text));
export const oid = (dotted: string): Der => universal(asn1.Type.OID, false, asn1.oidToDer(dotted).getBytes());
export const octets = (bytes: Buffer): Der => universal(asn1.Type.OCTETSTRING, false, bytes.toString('latin1'));

/** A small non-negative number, below 128. */
export const smallInteger = (value: number): Der => universal(asn1.Type.INTEGER, false, String.fromCharCode(value));

/** Big-endian bytes of a positive number whose first byte is 0x01–0x7f: DER's shortest form already. */
export const positiveInteger = (bytes: Buffer): Der => universal(asn1.Type.INTEGER, false, bytes.toString('latin1'));

/** `unused` counts the bits of the last byte that mean nothing. */
export const bits = (bytes: Buffer, unused = 0): Der =>
  universal(asn1.Type.BITSTRING, false, String.fromCharCode(unused) + bytes.toString('latin1'));

/** `[tag]` around whole values, or in place of their own tag when `value` is bytes. */
export const tagged = (tag: number, value: Buffer | Der[]): Der => {
  const whole = Array.isArray(value);
  return create(asn1.Class.CONTEXT_SPECIFIC, tag, whole, whole ? value : value.toString('latin1'));
};

/** RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050. */
export function time(ms: number): Der {
  const date = new Date(ms);
  return date.getUTCFullYear() < 2050
    ? universal(asn1.Type.UTCTIME, false, asn1.dateToUtcTime(date))
    : universal(asn1.Type.GENERALIZEDTIME, false, asn1.dateToGeneralizedTime(date));
}

export const encode = (value: Der): Buffer => Buffer.from(asn1.toDer(value).getBytes(), 'latin1');

/** Throws a plain Error on bytes that are not one whole DER value: callers turn it into their own sentence. */
export function decode(bytes: Buffer): Der {
  // forge would also take apart a bit string that happens to hold DER, as an ECDSA signature does.
  const options = { strict: true, parseAllBytes: true, decodeBitStrings: false };
  return asn1.fromDer(bytes.toString('latin1'), options as unknown as boolean); // Its types know the boolean only.
}

/** The children of a constructed value; none for a primitive one. */
export const children = (value: Der | undefined): Der[] => (Array.isArray(value?.value) ? value.value : []);

/** The content of a primitive value; empty for a constructed one. */
export const content = (value: Der | undefined): Buffer =>
  Buffer.from(typeof value?.value === 'string' ? value.value : '', 'latin1');

export const isTagged = (value: Der | undefined, tag: number): boolean =>
  value !== undefined && value.tagClass === asn1.Class.CONTEXT_SPECIFIC && (value.type as number) === tag;

/** The dotted form of an OBJECT IDENTIFIER; `undefined` for anything else. */
export function oidOf(value: Der | undefined): string | undefined {
  if (value?.type !== asn1.Type.OID || typeof value.value !== 'string' || value.value === '') return undefined;
  return asn1.derToOid(util.createBuffer(value.value));
}

export function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
