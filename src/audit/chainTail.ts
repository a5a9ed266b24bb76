// Where a chain goes on after a restart: behind the last whole line of its last segment that has one. What a killed
// process left of a line stands behind that.
import type { ChainFile } from './chainFile.ts';
import { genesis, lineHash, type Head, type Link } from './link.ts';
import { parseRecord } from './record.ts';

type Readable = Pick<ChainFile, 'read' | 'stat'>;

const BLOCK = 16_384;
const LF = 0x0a;

export type Tail = {
  /** Bytes of the whole lines. */
  size: number;
  /** The last whole line, and whether it is the seal of what stands before it. */
  last: { head: Head; isSeal: boolean; atMs: number | undefined } | undefined;
  /** What stands after the last LF. */
  torn: Buffer;
};

/** Number and `prev` of the record behind `head`. */
export function after(head: Head | undefined): Link {
  return head ? { seq: head.seq + 1, prev: head.hash } : { seq: 1, prev: genesis };
}

export async function readTail(file: Readable): Promise<Tail> {
  const { size: total } = await file.stat();
  const lastLf = await lastLfBefore(file, total);
  const size = lastLf + 1;
  const torn = await readAll(file, size, total);
  if (size === 0) return { last: undefined, size, torn };
  const start = (await lastLfBefore(file, lastLf)) + 1;
  const line = await readAll(file, start, lastLf);
  const record = parseRecord(line);
  // A last line that is none of ours was put there by somebody: it stays, for verify to name.
  const seq = record?.link.seq ?? (await countLines(file, size));
  const last = { head: { seq, hash: lineHash(line) }, isSeal: record?.kind === 'sealed', atMs: record?.atMs };
  return { last, size, torn };
}

/** When the first record of the file was written; `undefined` when nothing says so. */
export async function readStart(file: Readable): Promise<number | undefined> {
  const block = await file.read(0, BLOCK);
  const end = block.indexOf(LF);
  return end < 0 ? undefined : parseRecord(block.subarray(0, end))?.atMs;
}

/** Position of the last LF before `end`, or -1. */
async function lastLfBefore(file: Readable, end: number): Promise<number> {
  for (let to = end; to > 0; to -= BLOCK) {
    const from = Math.max(0, to - BLOCK);
    const at = (await readAll(file, from, to)).lastIndexOf(LF);
    if (at >= 0) return from + at;
  }
  return -1;
}

async function countLines(file: Readable, size: number): Promise<number> {
  let lines = 0;
  for (let from = 0; from < size; from += BLOCK) {
    for (const byte of await readAll(file, from, Math.min(size, from + BLOCK))) if (byte === LF) lines += 1;
  }
  return lines;
}

async function readAll(file: Readable, from: number, to: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let at = from; at < to;) {
    const part = await file.read(at, to - at);
    if (part.length === 0) break;
    parts.push(part);
    at += part.length;
  }
  return Buffer.concat(parts);
}
