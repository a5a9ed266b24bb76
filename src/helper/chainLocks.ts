// Who writes an audit chain: the lock of the state folder's files, as the audit log asks for it.
import type { ChainLocks } from '../audit/chains.ts';
import { TunnelError } from '../core/errors.ts';
import { isLocked, lockFile } from './fileLock.ts';
import { fileProblem } from './fileProblem.ts';

export const chainLocks: ChainLocks = {
  async take(path) {
    try {
      return await lockFile(path, 0);
    } catch (error) {
      if (error instanceof TunnelError && error.code === 'CONFLICT') return undefined;
      throw fileProblem(path, error);
    }
  },
  isTaken: isLocked,
};
