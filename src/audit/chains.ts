// The chains of this machine, one folder each. A helper goes on with a chain that no other helper holds, so there are
// as many as helpers ran at the same time; what a killed one left is put right by the next. A lock says who holds one.
import { mkdir, readdir, stat } from 'node:fs/promises';
import { systemCode, TunnelError } from '../core/errors.ts';
import { readChainFile } from './chainFile.ts';
import { readTail } from './chainTail.ts';
import type { Head } from './link.ts';
import { listSegments, segmentName } from './segments.ts';

/** Helpers that can write at the same time; one more is refused. */
export const maxChains = 64;

const CHAIN_ID = /^[0-9A-Za-z][0-9A-Za-z-]{0,63}$/;

/** Holds across processes; a dead holder's lock is taken over. */
export interface ChainLocks {
  /** The function that lets go; `undefined` while another process holds it. */
  take(path: string): Promise<(() => Promise<void>) | undefined>;
  isTaken(path: string): Promise<boolean>;
}

export type TakenChain = {
  chain: string;
  folder: string;
  /** Ends of the chains that nobody holds at the moment. */
  others: ({ chain: string } & Head)[];
  release: () => Promise<void>;
};

/** Ids of the chains in `folder`, sorted. Throws `STATE_UNWRITABLE`. */
export async function listChains(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.flatMap((entry) => (entry.isDirectory() && CHAIN_ID.test(entry.name) ? [entry.name] : [])).sort();
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return [];
    throw unusable(folder, cause);
  }
}

/** The free chain that was written last, else a new one called `newId`. Throws `LIMIT`, `STATE_UNWRITABLE`. */
export async function takeChain(folder: string, newId: string, locks: ChainLocks): Promise<TakenChain> {
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw unusable(folder, cause);
  });
  const known = await byLastWrite(folder);
  const ids = known.length < maxChains ? [...known, newId] : known;
  for (const chain of ids) {
    const release = await locks.take(`${folder}/${chain}`);
    if (!release) continue;
    const others = await endsOf(
      folder,
      known.filter((id) => id !== chain),
      locks,
    );
    return { chain, folder: `${folder}/${chain}`, others, release };
  }
  throw new TunnelError('LIMIT', `${maxChains} helpers of this user run at the same time already: stop one`);
}

async function byLastWrite(folder: string): Promise<string[]> {
  const chains = await Promise.all(
    (await listChains(folder)).map(async (chain) => {
      const last = (await listSegments(`${folder}/${chain}`)).at(-1);
      const path = last === undefined ? `${folder}/${chain}` : `${folder}/${chain}/${segmentName(last)}`;
      return { chain, writtenMs: (await stat(path).catch(() => undefined))?.mtimeMs ?? 0 };
    }),
  );
  return chains.sort((left, right) => right.writtenMs - left.writtenMs).map(({ chain }) => chain);
}

async function endsOf(
  folder: string,
  chains: readonly string[],
  locks: ChainLocks,
): Promise<({ chain: string } & Head)[]> {
  const ends = await Promise.all(
    chains.map(async (chain) => {
      // What its holder is writing now may be taken back; only what is at rest is a fact.
      if (await locks.isTaken(`${folder}/${chain}`)) return [];
      const head = await endOf(`${folder}/${chain}`).catch(() => undefined); // Verify says what is wrong with it.
      return head ? [{ chain, ...head }] : [];
    }),
  );
  return ends.flat();
}

async function endOf(folder: string): Promise<Head | undefined> {
  for (const number of (await listSegments(folder)).toReversed()) {
    const file = await readChainFile(`${folder}/${segmentName(number)}`);
    try {
      const { last } = await readTail(file);
      if (last) return last.head;
    } finally {
      await file.close();
    }
  }
  return undefined;
}

function unusable(folder: string, cause: unknown): TunnelError {
  const reason = systemCode(cause) ?? 'unknown error';
  return new TunnelError('STATE_UNWRITABLE', `the audit logs in ${folder} cannot be used (${reason})`, {
    cause,
    data: { path: folder },
  });
}
