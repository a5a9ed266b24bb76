// `mcp-tunnel audit verify`: whether the logs of this machine are what was written, and what that cannot say. It only
// reads. A log that is not ends with exit code 3; 2 is kept for one that cannot be read or is not there.
import { readPublicKey } from '../audit/signingKey.ts';
import type { Head } from '../audit/link.ts';
import { verifyHome } from '../audit/verifyHome.ts';
import type { Broken, Intact, Verdict } from '../audit/verify.ts';
import { TunnelError } from '../core/errors.ts';
import { chainLocks } from '../helper/chainLocks.ts';
import { chooseChains } from './auditChains.ts';
import type { CommandContext } from './command.ts';

export type AuditVerifyOptions = { helper?: string; head?: Head; key?: string };

type State = 'closed' | 'in use' | 'unfinished' | 'empty';

const cutUnseen =
  'Records cut from the end, and what was written anew behind the last signature, are seen only with a head that was kept elsewhere (--head); this one could not tell.';

/** Throws `AUDIT_BROKEN`, `NOT_FOUND`, `USAGE`. */
export async function auditVerify(context: CommandContext, options: AuditVerifyOptions): Promise<void> {
  const { output, paths, files } = context;
  const publicKey = options.key ?? (await readPublicKey(files, paths.auditKey));
  const chosen = await chosenChain(context, options);
  const heads = new Map(options.head && chosen !== undefined ? [[chosen, [options.head]]] : []);
  const all = await verifyHome({ folder: paths.auditFolder, publicKey, heads });
  const verdicts = chosen === undefined ? all : all.filter(({ chain }) => chain === chosen);
  const [lost] = heads.keys();
  if (verdicts.length === 0 && lost !== undefined) verdicts.push(gone(paths.auditFolder, lost, options.head!));
  if (verdicts.length === 0) throw new TunnelError('NOT_FOUND', `there is no audit log yet in ${paths.auditFolder}`);

  for (const verdict of verdicts) await report(context, verdict, options.head !== undefined);
  const [broken] = verdicts.filter(({ kind }) => kind === 'broken') as Broken[];
  if (broken) throw failure(broken, publicKey);
  const records = verdicts.reduce((sum, verdict) => sum + (verdict.kind === 'intact' ? verdict.records : 0), 0);
  output.event({ event: 'verified', chains: verdicts.length, records, key: publicKey ?? null });
  output.line(
    { text: 'Intact: ', style: 'green' },
    `${records} records. Signed by the key ${publicKey ?? '(none yet)'}.`,
  );
  if (options.head === undefined) output.line({ text: cutUnseen, style: 'dim' });
}

/** A head is of one chain; a chain that is gone altogether is what a head is for. */
async function chosenChain(context: CommandContext, { helper, head }: AuditVerifyOptions): Promise<string | undefined> {
  if (helper === undefined && head === undefined) return undefined;
  try {
    const chains = await chooseChains(context, helper);
    if (chains.length === 1) return chains[0];
  } catch (error) {
    if (head && helper !== undefined && error instanceof TunnelError && error.code === 'NOT_FOUND') return helper;
    throw error;
  }
  throw new TunnelError('USAGE', '--head is the head of one log: say with --helper of which');
}

async function report(context: CommandContext, verdict: Verdict, headChecked: boolean): Promise<void> {
  const { output, paths } = context;
  if (verdict.kind === 'broken') {
    const { kind: _, ...rest } = verdict;
    output.event({ event: 'chain', verdict: 'broken', ...rest });
    output.line(`${verdict.chain}  `, { text: 'BROKEN', style: 'red' }, `  ${verdict.what}: ${verdict.message}`);
    output.line({ text: `  ${verdict.file}:${verdict.line}`, style: 'dim' });
    return;
  }
  const { chain, records, firstSeq, head, signedSeq, tornBytes, repaired, recovered } = verdict;
  const isTaken = await chainLocks.isTaken(`${paths.auditFolder}/${chain}`);
  const state: State = isTaken ? 'in use' : records === 0 ? 'empty' : verdict.closed ? 'closed' : 'unfinished';
  const notes = notesOf(verdict, state);
  output.event({
    event: 'chain',
    verdict: 'intact',
    chain,
    state,
    records,
    firstRecord: firstSeq,
    head: head ? { count: head.seq, hash: head.hash } : null,
    signed: signedSeq,
    headChecked,
    tornBytes,
    repaired,
    recovered,
    notes,
  });
  output.line(`${chain}  `, { text: 'intact', style: 'green' }, `  ${records} records, ${state}`);
  if (head) output.line({ text: `  head ${head.seq}:${head.hash}`, style: 'dim' });
  for (const note of notes) output.line({ text: `  ${note}`, style: 'dim' });
}

function notesOf(verdict: Intact, state: State): string[] {
  const { firstSeq, head, signedSeq, tornBytes, repaired, recovered, uncheckable } = verdict;
  const unsigned = (head?.seq ?? 0) - signedSeq;
  const notes: string[] = [];
  if (firstSeq > 1)
    notes.push(`records 1 to ${firstSeq - 1} were removed for their age or size; a signed record says so`);
  if (repaired.length > 0) notes.push(`a torn line was cut off and noted in: ${repaired.join(', ')}`);
  if (recovered.length > 0) notes.push(`a helper ended without a seal; the next one set it: ${recovered.join(', ')}`);
  if (tornBytes > 0 && state !== 'in use') {
    notes.push(
      `the last line is torn (${tornBytes} bytes): its process was killed, or its end was cut; the next helper repairs and notes it`,
    );
  }
  if (unsigned > 0) {
    const what = unsigned === 1 ? 'the last record is' : `the last ${unsigned} records are`;
    notes.push(`${what} not signed yet${state === 'unfinished' ? ': the helper was killed, or the end was cut' : ''}`);
  }
  if (uncheckable.length > 0) notes.push('the given head lies in what was removed, so it could not be checked');
  return notes;
}

function gone(folder: string, chain: string, { seq }: Head): Broken {
  const message = `the audit log ${chain} was removed: a head that was kept elsewhere knew ${seq} records`;
  return { kind: 'broken', chain, what: 'removed', file: `${folder}/${chain}`, line: 1, message };
}

function failure({ chain, what, file, line, message }: Broken, publicKey: string | undefined): TunnelError {
  const why =
    publicKey === undefined && what === 'signature' ? '; this machine’s public key is missing (--key names it)' : '';
  return new TunnelError('AUDIT_BROKEN', `${file}: ${message}${why}`, { data: { chain, what, file, line } });
}
