// Where traffic goes that is not held in memory: a folder for each helper. A helper that was killed leaves its own
// behind; the next one that starts deletes it.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Segments } from '../traffic/segments.ts';

/** Calls held, and the bytes they may take in memory. */
export const heldTraffic = { capacity: 100_000, maxBytes: 128 * 1024 * 1024 };

/** `folder` holds one folder for each helper, named by its id. */
export async function openTrafficFolder(
  folder: string,
  helperId: string,
  isAlive: (helperId: string) => Promise<boolean>,
): Promise<Segments> {
  for (const other of await readdir(folder).catch(() => [])) {
    if (await isAlive(other)) continue;
    await rm(join(folder, other), { recursive: true, force: true }).catch(() => {}); // The next start tries again.
  }
  return new Segments(join(folder, helperId));
}
