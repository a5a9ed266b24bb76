// `audit/verify`: all logs of this machine against heads that a driver kept where the logs cannot be edited from. What a
// driver is told of each log is one sentence that begins with the place.
import type { Head } from '../audit/link.ts';
import type { Verdict } from '../audit/verify.ts';
import { verifyHome } from '../audit/verifyHome.ts';
import { TunnelError } from '../core/errors.ts';
import type { AuditHead, AuditVerdict } from '../protocol/control.ts';

/** Heads in one question; more are refused. */
export const maxHeads = 1_000;

export type AuditPlace = {
  folder: string;
  /** Of this machine, as the helper itself signs with. */
  publicKey: string;
};

/** Throws `USAGE`. A log that a head knows and that is not there is broken, too. */
export async function auditVerdicts(place: AuditPlace, heads: readonly AuditHead[]): Promise<AuditVerdict[]> {
  if (heads.length > maxHeads) throw new TunnelError('USAGE', `at most ${maxHeads} heads can be compared at once`);
  const byChain = new Map<string, Head[]>();
  for (const { chain, count, hash } of heads) {
    byChain.set(chain, [...(byChain.get(chain) ?? []), { seq: count, hash }]);
  }
  const verdicts = (await verifyHome({ ...place, heads: byChain })).map((verdict) => told(verdict));
  for (const [chain, known] of byChain) {
    if (!verdicts.some((verdict) => verdict.chain === chain)) verdicts.push(removed(place, chain, known));
  }
  return verdicts.map((verdict) => withOtherKey(verdict, heads, place));
}

/** Records of a broken log are not counted: what stands in it proves nothing. */
function told(verdict: Verdict): AuditVerdict {
  if (verdict.kind === 'intact') return { chain: verdict.chain, records: verdict.records };
  const { chain, file, line, message } = verdict;
  return { chain, records: 0, problem: `${file}:${line}: ${message}` };
}

function removed({ folder }: AuditPlace, chain: string, known: readonly Head[]): AuditVerdict {
  const count = Math.max(...known.map(({ seq }) => seq));
  const message = `the audit log was removed: a head that was kept elsewhere knew ${count} records`;
  return { chain, records: 0, problem: `${folder}/${chain}: ${message}` };
}

/** Whoever replaces the key can sign a log anew from its first line: a head says which key it was. */
function withOtherKey(
  verdict: AuditVerdict,
  heads: readonly AuditHead[],
  { folder, publicKey }: AuditPlace,
): AuditVerdict {
  const other = heads.find(({ chain, key }) => chain === verdict.chain && key !== publicKey);
  if (!other || verdict.problem !== undefined) return verdict;
  const message = `it was signed by the key ${other.key} when its head was kept; this machine signs with ${publicKey} now`;
  return { ...verdict, problem: `${folder}/${verdict.chain}: ${message}` };
}
