// Everything a process holds in writable memory right now, searched for texts: a heap snapshot leaves out the bytes of
// buffers, this does not. Linux only, of a process of the same user.
import { open, readFile } from 'node:fs/promises';

const pieceBytes = 4 * 1024 * 1024;
const overlapBytes = 1024;

/** Those of `needles` that are somewhere in the writable memory of `pid`. */
export async function foundInMemory(pid: number, needles: readonly string[]): Promise<string[]> {
  const seen = new Set<string>();
  const memory = await open(`/proc/${pid}/mem`, 'r');
  try {
    for (const { from, to } of await writableRanges(pid)) {
      for (let at = from; at < to; at += pieceBytes - overlapBytes) {
        const piece = Buffer.alloc(Math.min(pieceBytes, to - at));
        try {
          const { bytesRead } = await memory.read(piece, 0, piece.length, at);
          for (const needle of needles) if (piece.subarray(0, bytesRead).includes(needle)) seen.add(needle);
        } catch {
          break; // A range that the system does not let anybody read, or that is gone by now.
        }
      }
    }
  } finally {
    await memory.close();
  }
  return needles.filter((needle) => seen.has(needle));
}

async function writableRanges(pid: number): Promise<{ from: number; to: number }[]> {
  const maps = await readFile(`/proc/${pid}/maps`, 'utf8');
  return maps.split('\n').flatMap((line) => {
    const match = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
    return match ? [{ from: Number.parseInt(match[1]!, 16), to: Number.parseInt(match[2]!, 16) }] : [];
  });
}
