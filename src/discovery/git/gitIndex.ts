// Which of some paths a git index holds (gitformat-index(5), versions 2 to 4). The file belongs to a stranger's
// workspace: every length is checked, and what cannot be read is no answer.

/** Longest path that a system opens; an index with a longer one is not git's. */
const maxPathBytes = 4096;

/** `undefined` where the bytes are no index, or one that keeps its entries in another file. Time goes with their number. */
export function trackedIn(index: Buffer, wanted: ReadonlySet<string>, hashBytes: 20 | 32): Set<string> | undefined {
  if (index.length < 12 || index.toString('latin1', 0, 4) !== 'DIRC') return undefined;
  const version = index.readUInt32BE(4);
  if (version < 2 || version > 4) return undefined;
  const found = new Set<string>();
  const names = [...wanted].map((name) => ({ name, bytes: Buffer.from(name) }));
  const path: Path = { bytes: Buffer.alloc(maxPathBytes), length: 0 };
  let at = 12;
  for (let left = index.readUInt32BE(8); left > 0; left -= 1) {
    const next = readEntry(index, at, version, hashBytes, path);
    if (next === undefined) return undefined;
    at = next;
    for (const { name, bytes } of names) if (isSame(path, bytes)) found.add(name);
  }
  return isSplit(index, at, hashBytes) ? undefined : found;
}

/** Of the entry that was read last. One place for all of them: each says only in what it differs from the one before. */
type Path = { readonly bytes: Buffer; length: number };

const isSame = ({ bytes, length }: Path, wanted: Buffer): boolean =>
  length === wanted.length && bytes.compare(wanted, 0, length, 0, length) === 0;

/** Reads the path of the entry at `start`; where the next one begins. */
function readEntry(index: Buffer, start: number, version: number, hashBytes: number, path: Path): number | undefined {
  const flagsAt = start + 40 + hashBytes;
  if (flagsAt + 2 > index.length) return undefined;
  const isExtended = version >= 3 && (index.readUInt16BE(flagsAt) & 0x4000) !== 0;
  const nameAt = flagsAt + (isExtended ? 4 : 2);
  if (version === 4) return readShared(index, nameAt, path);
  const end = index.indexOf(0, nameAt);
  if (end < 0 || !putPath(path, 0, index, nameAt, end)) return undefined;
  // Padded to a multiple of eight, with at least the one zero that ends the name.
  const length = end - start;
  return start + length + (8 - (length % 8));
}

/** Version 4: how many bytes of the path before are dropped, and what stands in their place. */
function readShared(index: Buffer, start: number, path: Path): number | undefined {
  let at = start;
  let dropped = 0;
  for (let byte = 0x80; byte & 0x80; at += 1) {
    if (at >= index.length || dropped > 2 ** 24) return undefined;
    byte = index[at] ?? 0;
    dropped = at === start ? byte & 0x7f : (dropped + 1) * 128 + (byte & 0x7f);
  }
  const end = index.indexOf(0, at);
  if (end < 0 || dropped > path.length || !putPath(path, path.length - dropped, index, at, end)) return undefined;
  return end + 1;
}

function putPath(path: Path, kept: number, index: Buffer, from: number, to: number): boolean {
  if (kept + to - from > maxPathBytes) return false;
  index.copy(path.bytes, kept, from, to);
  path.length = kept + to - from;
  return true;
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
