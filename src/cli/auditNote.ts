// What a command changes on the files itself, where no helper does it, is written to the audit log all the same.
import { randomUUID } from 'node:crypto';
import type { AuditEvent } from '../audit/auditEvent.ts';
import { openAuditLog } from '../audit/openAuditLog.ts';
import { chainLocks } from '../helper/chainLocks.ts';
import type { CommandContext } from './command.ts';

/** Throws `STATE_UNWRITABLE` when it cannot be written. */
export async function noteInAudit({ paths, files, clock }: CommandContext, event: AuditEvent): Promise<void> {
  const audit = await openAuditLog({
    folder: paths.auditFolder,
    keyFiles: paths.auditKey,
    files,
    locks: chainLocks,
    helper: randomUUID(),
    clock,
  });
  try {
    await audit.append(event);
  } finally {
    await audit.close();
  }
}
