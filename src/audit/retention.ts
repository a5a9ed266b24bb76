// Which segments of a chain have been kept for long enough. By age only few go at a time, so that a clock that jumps
// ahead costs little; by size as many as it takes. The segment in use always stays.
import { stat } from 'node:fs/promises';
import { readChainFile } from './chainFile.ts';
import { readTail } from './chainTail.ts';
import type { Head } from './link.ts';
import { listSegments, segmentName } from './segments.ts';

/** Segments whose last record is older than this are removed. */
export const keepMs = 180 * 24 * 60 * 60 * 1000;

/** Bytes of all segments of one chain; the oldest make room. */
export const maxChainBytes = 1024 * 1024 * 1024;

/** Segments removed for their age with one rotation. */
export const maxPrunedByAge = 2;

export type RetentionBounds = { keepMs: number; maxChainBytes: number };

export type Pruned = { segments: number[]; through: Head; why: 'age' | 'size' };

export async function choosePruned(
  folder: string,
  current: number,
  nowMs: number,
  bounds: Partial<RetentionBounds>,
): Promise<Pruned | undefined> {
  const wanted = { keepMs, maxChainBytes, ...bounds };
  const old = (await listSegments(folder)).filter((number) => number < current);
  if (old.length === 0) return undefined;
  const sizes = await Promise.all(old.map(async (number) => (await stat(`${folder}/${segmentName(number)}`)).size));
  let total = sizes.reduce((sum, size) => sum + size, 0);
  let pruned: Pruned | undefined;
  for (const [index, number] of old.entries()) {
    const end = await endOf(folder, number);
    const tooLarge = total > wanted.maxChainBytes;
    const tooOld = end.atMs !== undefined && nowMs - end.atMs > wanted.keepMs && index < maxPrunedByAge;
    if ((!tooLarge && !tooOld) || !end.head) return pruned;
    const segments = [...(pruned?.segments ?? []), number];
    pruned = { segments, through: end.head, why: tooLarge ? 'size' : 'age' };
    total -= sizes[index] ?? 0;
  }
  return pruned;
}

async function endOf(folder: string, number: number): Promise<{ head?: Head; atMs?: number | undefined }> {
  const file = await readChainFile(`${folder}/${segmentName(number)}`);
  try {
    const { last } = await readTail(file);
    return last ? { head: last.head, atMs: last.atMs } : {};
  } finally {
    await file.close();
  }
}
