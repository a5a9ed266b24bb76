// Records that the log writes about itself, each signed by this machine's key. A signature covers its whole line and,
// by the line's `prev`, every line before it: whoever does not have the key can neither make one nor move one.
import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import type { Head, Link } from './link.ts';

export type SignedRecord =
  /** A helper begins to write here; `others` are the ends of the chains beside this one. */
  | { kind: 'started'; chain: string; helper: string; pid: number; others: ({ chain: string } & Head)[] }
  /** The last record was torn: a process was killed while writing it. */
  | { kind: 'repaired'; chain: string; tornBytes: number; tornSha256: string }
  /** Everything up to `through` was removed because of its age or because of the size of all. */
  | { kind: 'pruned'; chain: string; through: Head; why: 'age' | 'size' }
  /** The end of a segment, or of a helper's work; `recovered` where that ended without one. */
  | { kind: 'sealed'; chain: string; why: 'rotated' | 'closed' | 'recovered' };

export const signedKinds: Record<SignedRecord['kind'], true> = {
  started: true,
  repaired: true,
  pruned: true,
  sealed: true,
};

/** Signs with Ed25519 (RFC 8032). */
export type Signer = {
  /** The public key as 64 hex digits. */
  publicKey: string;
  sign(bytes: Uint8Array): Uint8Array;
};

const MARK = ',"signature":"';
const ENDING = /,"signature":"([0-9a-f]{128})"\}$/;

/** RFC 8410 §4: what stands before the 32 bytes of every such key. */
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

/** No signature made for something else can be passed off as one of a record. */
const DOMAIN = 'mcp-tunnel audit record\n';

export function makeSigner(privateKey: KeyObject): Signer {
  return { publicKey: publicKeyHex(createPublicKey(privateKey)), sign: (bytes) => sign(null, bytes, privateKey) };
}

export function formatSigned(link: Link, atMs: number, record: SignedRecord, signer: Signer): string {
  const { kind, ...rest } = record;
  const at = new Date(atMs).toISOString();
  const unsigned = JSON.stringify({
    seq: link.seq,
    at,
    prev: link.prev,
    kind,
    ...rest,
    key: signer.publicKey,
  });
  const head = unsigned.slice(0, -1);
  const signature = Buffer.from(signer.sign(Buffer.from(DOMAIN + head))).toString('hex');
  return `${head}${MARK}${signature}"}`;
}

/** Whether the line is signed by the key of these 64 hex digits. Bytes that are no UTF-8 were never signed. */
export function isSignedBy(publicKey: string, line: Uint8Array): boolean {
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  const ending = ENDING.exec(bytes.subarray(-(MARK.length + 130)).toString('latin1'));
  if (!ending?.[1]) return false;
  const signed = Buffer.concat([Buffer.from(DOMAIN), bytes.subarray(0, bytes.length - ending[0].length)]);
  return verify(null, signed, publicKeyOf(publicKey), Buffer.from(ending[1], 'hex'));
}

/** The public key as 64 hex digits: what stands behind the algorithm in its SPKI. */
export function publicKeyHex(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'der' }).subarray(SPKI_ED25519.length).toString('hex');
}

function publicKeyOf(hex: string): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI_ED25519, Buffer.from(hex, 'hex')]), format: 'der', type: 'spki' });
}
