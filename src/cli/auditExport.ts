// `mcp-tunnel audit export`: everything as JSON lines for another system, with or without `--json`: first the key and
// what each chain proves, then every record in the order of time with its exact text's hash, so that whoever has the
// export can check hashes and signatures without this machine.
import { readRecords, type Entry } from '../audit/readRecords.ts';
import { readPublicKey } from '../audit/signingKey.ts';
import { verifyHome } from '../audit/verifyHome.ts';
import type { Verdict } from '../audit/verify.ts';
import { chooseChains } from './auditChains.ts';
import type { CommandContext } from './command.ts';
import { plainJson } from './plainText.ts';

/** Lines between two looks at whether the reader of stdout keeps up. */
const pageSize = 500;

/** Throws `NOT_FOUND`. */
export async function auditExport(context: CommandContext, options: { helper?: string }): Promise<void> {
  const { output, paths, files, clock, signal } = context;
  const chains = await chooseChains(context, options.helper);
  const publicKey = await readPublicKey(files, paths.auditKey);
  const verdicts = await verifyHome({ folder: paths.auditFolder, publicKey });
  const print = (line: object): void => (output.json ? output.event(line) : output.line(plainJson(line)));

  print({ event: 'export', at: new Date(clock.now()).toISOString(), key: publicKey ?? null, hash: 'sha256' });
  for (const verdict of verdicts) if (chains.includes(verdict.chain)) print(proofOf(verdict));
  let printed = 0;
  for await (const entry of readRecords(paths.auditFolder, chains)) {
    if (signal.aborted) return;
    print(recordOf(entry));
    printed += 1;
    if (printed % pageSize === 0) await output.flush();
  }
  for (const verdict of verdicts) {
    if (verdict.kind === 'broken') output.log(`warning: ${verdict.file}: ${verdict.message}`);
  }
}

function proofOf(verdict: Verdict): object {
  const { chain } = verdict;
  if (verdict.kind === 'broken') {
    const { kind: _, ...rest } = verdict;
    return { event: 'chain', verdict: 'broken', ...rest };
  }
  const { records, firstSeq, head, signedSeq } = verdict;
  const count = head ? { count: head.seq, hash: head.hash } : null;
  return { event: 'chain', verdict: 'intact', chain, records, firstRecord: firstSeq, head: count, signed: signedSeq };
}

/** The record as it is, where its text can be made again from it; the text itself where not. */
function recordOf({ chain, line }: Entry): object {
  const text = line.bytes.toString('utf8');
  const { segment, number, hash, record } = line;
  const place = { event: 'record', chain, segment, line: number, hash };
  return record && JSON.stringify(record.fields) === text ? { ...place, record: record.fields } : { ...place, text };
}
