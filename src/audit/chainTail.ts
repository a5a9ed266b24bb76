// Where a chain goes on after a restart: behind its last whole line. What a killed process left of a line is cut off.
import type { ChainFile } from './chainFile.ts';
import { genesis, lineHash, parseLink, type Link } from './record.ts';

const BLOCK = 65_536;
const LF = 0x0a;

export type Tail = {
  /** Number and `prev` of the next record. */
  next: Link;
  /** Bytes of the whole lines. */
  size: number;
  /** What stands after the last LF. */
  torn: Buffer;
};

export async function readTail(file: ChainFile): Promise<Tail> {
  const { size: total } = await file.stat();
  const lastLf = await lastLfBefore(file, total);
  const size = lastLf + 1;
  const torn = await readAll(file, size, total);
  if (size === 0) return { next: { seq: 1, prev: genesis }, size, torn };
  const start = (await lastLfBefore(file, lastLf)) + 1;
  const line = await readAll(file, start, lastLf);
  // A last line that is none of ours was put there by somebody: it stays, for verify to name.
  const seq = parseLink(line)?.seq ?? (await countLines(file, size));
  return { next: { seq: seq + 1, prev: lineHash(line) }, size, torn };
}

/** Position of the last LF before `end`, or -1. */
async function lastLfBefore(file: ChainFile, end: number): Promise<number> {
  for (let to = end; to > 0; to -= BLOCK) {
    const from = Math.max(0, to - BLOCK);
    const at = (await readAll(file, from, to)).lastIndexOf(LF);
    if (at >= 0) return from + at;
  }
  return -1;
}

async function countLines(file: ChainFile, size: number): Promise<number> {
  let lines = 0;
  for (let from = 0; from < size; from += BLOCK) {
    for (const byte of await readAll(file, from, Math.min(size, from + BLOCK))) if (byte === LF) lines += 1;
  }
  return lines;
}

async function readAll(file: ChainFile, from: number, to: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let at = from; at < to;) {
    const part = await file.read(at, to - at);
    if (part.length === 0) break;
    parts.push(part);
    at += part.length;
  }
  return Buffer.concat(parts);
}
