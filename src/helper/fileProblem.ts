// A file that cannot be read or written, as one sentence with its path and the fix.
import { dirname } from 'node:path';
import { systemCode, TunnelError } from '../core/errors.ts';

const ownFolder = 'or set MCP_TUNNEL_HOME to a folder of yours';

const sentences: Readonly<Record<string, (path: string) => string>> = {
  ENOSPC: (path) => `${path} cannot be written because the disk is full: free some space and try again`,
  EDQUOT: (path) => `${path} cannot be written because your disk quota is used up: free some space and try again`,
  EROFS: (path) => `${path} is on a read-only file system: make it writable, ${ownFolder}`,
  EACCES: (path) => `this user may not use ${path}: give it access to ${dirname(path)}, ${ownFolder}`,
  EPERM: (path) =>
    `the system does not permit changing ${path}: give this user access to ${dirname(path)}, ${ownFolder}`,
  ENOTDIR: (path) => `${dirname(path)} cannot be a folder because a file is in its way: move that file, ${ownFolder}`,
  EISDIR: (path) => `${path} is a folder, where a file is needed: move it away and try again`,
  ENAMETOOLONG: (path) => `${path} is too long a path for this system: set MCP_TUNNEL_HOME to a shorter one`,
  EMFILE: (path) => `${path} cannot be opened because this process has too many open files: close some tunnels`,
};

export function fileProblem(path: string, cause: unknown): TunnelError {
  if (cause instanceof TunnelError) return cause;
  const code = systemCode(cause) ?? 'unknown error';
  // `mkdir -p` says EEXIST where a file stands in the way of the last folder.
  const sentence = sentences[code === 'EEXIST' ? 'ENOTDIR' : code];
  const message = sentence?.(path) ?? `${path} cannot be read or written (${code}): check the disk and try again`;
  return new TunnelError('STATE_UNWRITABLE', message, { cause, data: { path } });
}
