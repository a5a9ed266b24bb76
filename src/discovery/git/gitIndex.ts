// Which of some paths a git index holds (gitformat-index(5), versions 2 to 4). The file belongs to a stranger's
// workspace: every length is checked, and what cannot be read is no answer.

/** `undefined` where the bytes are no index, or one that keeps its entries in another file. */
export function trackedIn(index: Buffer, wanted: ReadonlySet<string>, hashBytes: 20 | 32): Set<string> | undefined {
  if (index.length < 12 || index.toString('latin1', 0, 4) !== 'DIRC') return undefined;
  const version = index.readUInt32BE(4);
  if (version < 2 || version > 4) return undefined;
  const found = new Set<string>();
  let at = 12;
  let path = Buffer.alloc(0);
  for (let left = index.readUInt32BE(8); left > 0; left -= 1) {
    const entry = readEntry(index, at, version, hashBytes, path);
    if (!entry) return undefined;
    ({ at, path } = entry);
    const name = path.toString('utf8');
    if (wanted.has(name)) found.add(name);
  }
  return isSplit(index, at, hashBytes) ? undefined : found;
}

type Entry = { at: number; path: Buffer<ArrayBuffer> };

/** The entry at `start`, and where the next one begins; `before` is the path of the one before. */
function readEntry(
  index: Buffer,
  start: number,
  version: number,
  hashBytes: number,
  before: Buffer,
): Entry | undefined {
  const flagsAt = start + 40 + hashBytes;
  if (flagsAt + 2 > index.length) return undefined;
  const isExtended = version >= 3 && (index.readUInt16BE(flagsAt) & 0x4000) !== 0;
  const nameAt = flagsAt + (isExtended ? 4 : 2);
  if (version === 4) return readShared(index, nameAt, before);
  const end = index.indexOf(0, nameAt);
  if (end < 0) return undefined;
  // Padded to a multiple of eight, with at least the one zero that ends the name.
  const length = end - start;
  return { at: start + length + (8 - (length % 8)), path: Buffer.from(index.subarray(nameAt, end)) };
}

/** Version 4: how many bytes of the path before are dropped, and what stands in their place. */
function readShared(index: Buffer, start: number, before: Buffer): Entry | undefined {
  let at = start;
  let dropped = 0;
  for (let byte = 0x80; byte & 0x80; at += 1) {
    if (at >= index.length || dropped > 2 ** 24) return undefined;
    byte = index[at] ?? 0;
    dropped = at === start ? byte & 0x7f : (dropped + 1) * 128 + (byte & 0x7f);
  }
  const end = index.indexOf(0, at);
  if (end < 0 || dropped > before.length) return undefined;
  const path = Buffer.concat([before.subarray(0, before.length - dropped), index.subarray(at, end)]);
  return path.length > 65_536 ? undefined : { at: end + 1, path };
}

/** The extension `link` says that another file holds the rest; `sdir` that some entries are whole folders. */
function isSplit(index: Buffer, start: number, hashBytes: number): boolean {
  for (let at = start; at + 8 + hashBytes <= index.length;) {
    const name = index.toString('latin1', at, at + 4);
    if (name === 'link' || name === 'sdir') return true;
    at += 8 + index.readUInt32BE(at + 4);
  }
  return false;
}
