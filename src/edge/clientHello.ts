// The name a visitor asks for, read from the first bytes of its TLS connection without answering any of them
// (RFC 8446 §4.1.2, §5.1; RFC 6066 §3; RFC 7301 §3.1). Strangers write these bytes: every length is checked, the
// whole is bounded, and a name is given out only when it is one.

/** The largest hello that is read, record headers included. Real ones have 200 to 2,000 bytes. */
export const maxClientHelloBytes = 16 * 1024;

export type ClientHello =
  /** `serverName` is lower-case and has only letters, digits, hyphens and dots. */
  { kind: 'hello'; serverName?: string; alpn: string[] } | { kind: 'incomplete' } | { kind: 'invalid' };

const incomplete = { kind: 'incomplete' } as const;
const invalid = { kind: 'invalid' } as const;

const handshakeRecord = 22;
const clientHelloMessage = 1;
const serverNameExtension = 0;
const alpnExtension = 16;

/** `bytes` is everything received so far. What comes after the hello is not looked at. */
export function parseClientHello(bytes: Uint8Array, maxBytes = maxClientHelloBytes): ClientHello {
  const message = readHandshake(bytes, maxBytes);
  if (!(message instanceof Uint8Array)) return message;
  try {
    return readHello(new Reader(message));
  } catch (error) {
    if (error instanceof Malformed) return invalid;
    throw error;
  }
}

/** The body of the first handshake message, put together from as many records as it was cut into. */
function readHandshake(bytes: Uint8Array, maxBytes: number): Uint8Array | typeof incomplete | typeof invalid {
  const parts: Uint8Array[] = [];
  let have = 0;
  let want = 4; // Type and length of the message; grows when they are known.
  for (let at = 0; have < want;) {
    if (at >= maxBytes) return invalid;
    if (at >= bytes.length) return incomplete;
    if (bytes[at] !== handshakeRecord) return invalid;
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return invalid;
    if (at + 5 > bytes.length) return incomplete;
    const length = uint16(bytes, at + 3);
    if (length === 0 || at + 5 + length > maxBytes) return invalid;
    const part = bytes.subarray(at + 5, at + 5 + length);
    parts.push(part);
    have += part.length;
    at += 5 + length;
    if (want === 4 && have > 0) {
      const head = join(parts, Math.min(have, 4));
      if (head[0] !== clientHelloMessage) return invalid;
      if (have >= 4) want = 4 + (head[1] ?? 0) * 65_536 + uint16(head, 2);
      if (want > maxBytes) return invalid;
    }
    if (part.length < length && have < want) return incomplete;
  }
  return join(parts, want).subarray(4);
}

function readHello(hello: Reader): ClientHello {
  hello.take(2 + 32); // legacy_version, random
  if (hello.block(1).length > 32) throw new Malformed(); // legacy_session_id
  const suites = hello.block(2).length;
  if (suites === 0 || suites % 2 !== 0) throw new Malformed();
  if (hello.block(1).length === 0) throw new Malformed(); // legacy_compression_methods
  const found: { kind: 'hello'; serverName?: string; alpn: string[] } = { kind: 'hello', alpn: [] };
  if (hello.done) return found; // TLS 1.2 allows a hello without extensions.

  const extensions = new Reader(hello.block(2));
  if (!hello.done) throw new Malformed();
  const seen = new Set<number>();
  while (!extensions.done) {
    const type = extensions.uint(2);
    const content = extensions.block(2);
    if (seen.has(type)) throw new Malformed(); // RFC 8446 §4.2: not more than one of a type.
    seen.add(type);
    if (type === serverNameExtension) found.serverName = readServerName(new Reader(content));
    if (type === alpnExtension) found.alpn = readAlpn(new Reader(content));
  }
  return found;
}

function readServerName(content: Reader): string {
  const list = new Reader(content.block(2));
  const type = list.uint(1);
  const name = text(list.block(2)).toLowerCase();
  // One name of the one type there is; with more, two readers could disagree about which one counts.
  if (type !== 0 || !list.done || !content.done) throw new Malformed();
  if (name.length > 253 || !/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(name)) throw new Malformed();
  return name;
}

function readAlpn(content: Reader): string[] {
  const list = new Reader(content.block(2));
  if (list.done || !content.done) throw new Malformed();
  const names: string[] = [];
  while (!list.done) {
    const name = list.block(1);
    if (name.length === 0) throw new Malformed();
    names.push(text(name));
  }
  return names;
}

class Malformed extends Error {}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) throw new Malformed();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  uint(size: 1 | 2): number {
    const bytes = this.take(size);
    return size === 1 ? (bytes[0] ?? 0) : uint16(bytes, 0);
  }

  /** A length of `size` bytes, and as many bytes as it says. */
  block(size: 1 | 2): Uint8Array {
    return this.take(this.uint(size));
  }
}

const uint16 = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);

const text = (bytes: Uint8Array): string => Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');

function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first) return first.subarray(0, length);
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined.subarray(0, length);
}
