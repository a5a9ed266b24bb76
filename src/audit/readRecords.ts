// The records of several chains as one stream, ordered by their time; within a chain the chain's own order holds, also
// where the clock was set back. Nothing is judged here.
import { systemCode } from '../core/errors.ts';
import { linesOf, type Line, type Place } from './chainLines.ts';
import { listSegments } from './segments.ts';

export type Entry = { chain: string; line: Line; atMs: number };

/** How far each chain was read; changed while entries are taken, so that the next reading goes on there. */
export type Progress = Map<string, Place>;

export async function* readRecords(
  folder: string,
  chains: readonly string[],
  progress: Progress = new Map(),
): AsyncGenerator<Entry, void> {
  const readers = chains.map((chain) => ({ chain, entries: entriesOf(folder, chain, progress.get(chain)) }));
  const heads: { entry: Entry; entries: AsyncGenerator<Entry, void> }[] = [];
  const pull = async (entries: AsyncGenerator<Entry, void>): Promise<void> => {
    const next = await entries.next();
    if (!next.done) heads.push({ entry: next.value, entries });
  };
  try {
    for (const { entries } of readers) await pull(entries);
    while (heads.length > 0) {
      heads.sort(
        (left, right) => left.entry.atMs - right.entry.atMs || (left.entry.chain < right.entry.chain ? -1 : 1),
      );
      const { entry, entries } = heads.shift()!;
      progress.set(entry.chain, entry.line.end);
      yield entry;
      await pull(entries);
    }
  } finally {
    for (const { entries } of readers) await entries.return();
  }
}

/** Whole lines; one that is none of ours has the time of the one before. */
async function* entriesOf(folder: string, chain: string, from: Place | undefined): AsyncGenerator<Entry, void> {
  let atMs = 0;
  try {
    for await (const line of linesOf(`${folder}/${chain}`, await listSegments(`${folder}/${chain}`), from)) {
      if (!line.complete) continue;
      atMs = line.record?.atMs ?? atMs;
      yield { chain, line, atMs };
    }
  } catch (error) {
    // A segment that was pruned meanwhile; what comes behind it is read the next time.
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}
