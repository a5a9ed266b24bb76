// A helper's log: this machine's key, a chain that nobody else writes, and the lock on it until the log is closed.
import type { Clock } from '../core/clock.ts';
import type { PrivateFiles } from '../core/files.ts';
import { AuditLog, type AuditLogOptions } from './auditLog.ts';
import { takeChain, type ChainLocks } from './chains.ts';
import { loadSigner, type KeyFiles } from './signingKey.ts';

export type OpenAuditLogOptions = {
  /** The folder of the chains. */
  folder: string;
  keyFiles: KeyFiles;
  files: PrivateFiles;
  locks: ChainLocks;
  helper: string;
  clock: Clock;
  sync?: AuditLogOptions['sync'];
};

/** Throws `STATE_UNWRITABLE`, `CONFIG_INVALID` for a key that is none, `LIMIT`. */
export async function openAuditLog(options: OpenAuditLogOptions): Promise<AuditLog> {
  const { folder, keyFiles, files, locks, helper, clock, sync } = options;
  const signer = await loadSigner(files, keyFiles);
  const taken = await takeChain(folder, helper, locks);
  try {
    return await AuditLog.open({ ...taken, helper, clock, signer, ...(sync ? { sync } : {}) });
  } catch (error) {
    await taken.release();
    throw error;
  }
}
