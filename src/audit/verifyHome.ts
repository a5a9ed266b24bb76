// All chains of a machine against each other: each is read by itself, and what the others wrote down of its end must
// be in it. So a whole chain that disappears is missed by those that were written after it.
import { listChains } from './chains.ts';
import type { Head } from './link.ts';
import { listSegments } from './segments.ts';
import { verifyChain, type Broken, type Verdict } from './verify.ts';

export type VerifyHomeOptions = {
  /** The folder of the chains. */
  folder: string;
  publicKey: string | undefined;
  /** Heads that were kept elsewhere, by chain. */
  heads?: ReadonlyMap<string, readonly Head[]>;
};

/** One verdict for each chain, and one for each that is missing. A folder without a segment is no chain. */
export async function verifyHome({ folder, publicKey, heads = new Map() }: VerifyHomeOptions): Promise<Verdict[]> {
  const verdicts = new Map<string, Verdict>();
  for (const chain of await listChains(folder)) {
    const options = { chain, folder: `${folder}/${chain}`, publicKey, heads: heads.get(chain) ?? [] };
    if ((await listSegments(options.folder)).length > 0) verdicts.set(chain, await verifyChain(options));
  }
  for (const [chain, witnessed] of witnessedHeads([...verdicts.values()])) {
    const verdict = verdicts.get(chain);
    if (!verdict) verdicts.set(chain, missing(folder, chain, witnessed));
    else if (verdict.kind === 'intact') {
      const known = [...(heads.get(chain) ?? []), ...witnessed];
      verdicts.set(chain, await verifyChain({ chain, folder: `${folder}/${chain}`, publicKey, heads: known }));
    }
  }
  return [...verdicts.values()];
}

function witnessedHeads(verdicts: readonly Verdict[]): Map<string, Head[]> {
  const heads = new Map<string, Head[]>();
  for (const verdict of verdicts) {
    if (verdict.kind === 'broken') continue; // What it says of others may be as false.
    for (const { chain, seq, hash } of verdict.others) heads.set(chain, [...(heads.get(chain) ?? []), { seq, hash }]);
  }
  return heads;
}

function missing(folder: string, chain: string, witnessed: readonly Head[]): Broken {
  const records = Math.max(...witnessed.map(({ seq }) => seq));
  const message = `the chain ${chain} was removed: another chain knew it with ${records} records`;
  return { kind: 'broken', chain, what: 'removed', file: `${folder}/${chain}`, line: 1, message };
}
