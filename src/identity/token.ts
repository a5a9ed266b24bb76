// The text an agent presents. A prefix that secret scanners can look for, 256 bits of chance, and a checksum that tells
// a mistyped token from a foreign one without asking the store. Only its digest is ever kept.
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';

export const tokenPrefix = 'mcpt_';
/** Of tokens that an agent got by OAuth. */
export const accessTokenPrefix = 'mcpa_';
export const refreshTokenPrefix = 'mcpr_';

/** Of the secret in a path, where a grant has one. */
export const pathSecretPrefix = 'mcps_';

export type RandomBytes = (size: number) => Uint8Array;

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SECRET_BYTES = 32;
/** ⌈256 / log2 62⌉ and ⌈32 / log2 62⌉ characters. */
const SECRET_LENGTH = 43;
const CHECK_LENGTH = 6;
const SHAPE = new RegExp(`^mcp[a-z]_([0-9A-Za-z]{${SECRET_LENGTH}})([0-9A-Za-z]{${CHECK_LENGTH}})$`);

export function mintToken(randomBytes: RandomBytes, prefix = tokenPrefix): string {
  const number = BigInt(`0x${Buffer.from(randomBytes(SECRET_BYTES)).toString('hex')}`);
  const secret = base62(number, SECRET_LENGTH);
  return `${prefix}${secret}${checksum(secret)}`;
}

export function looksLikeToken(text: string, prefix = tokenPrefix): boolean {
  if (!text.startsWith(prefix)) return false;
  const [, secret, check] = SHAPE.exec(text) ?? [];
  return secret !== undefined && checksum(secret) === check;
}

/** SHA-256 of the whole text, hex. A slow hash would add nothing: 256 bits of chance cannot be guessed. */
export function digest(token: string): string {
  return hash('sha256', token, 'hex');
}

function checksum(secret: string): string {
  let text = '';
  for (let rest = crc32(secret); rest > 0; rest = Math.floor(rest / 62)) text = ALPHABET[rest % 62]! + text;
  return text.padStart(CHECK_LENGTH, '0');
}

function base62(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; rest > 0n; rest /= 62n) text = ALPHABET[Number(rest % 62n)]! + text;
  return text.padStart(length, '0');
}
