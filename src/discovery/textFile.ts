// Reads a small text file that a stranger may have put there: never more than the bound, never a pipe that blocks,
// never bytes that are not text. What cannot be read is an answer, not an exception.
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { systemCode } from '../core/errors.ts';

/** Largest configuration or environment file that is read; a larger one is reported and left alone. */
export const maxConfigBytes = 1024 * 1024;

export type TextFile = { kind: 'text'; text: string } | { kind: 'absent' } | { kind: 'problem'; message: string };

export async function readTextFile(path: string): Promise<TextFile> {
  let handle: FileHandle | undefined;
  try {
    // Without O_NONBLOCK, opening a named pipe waits for its writer for ever.
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    return await readOpen(handle);
  } catch (error) {
    return failure(error);
  } finally {
    await handle?.close();
  }
}

async function readOpen(handle: FileHandle): Promise<TextFile> {
  const stat = await handle.stat();
  if (stat.isDirectory()) return problem('is a folder, not a file');
  if (!stat.isFile()) return problem('is not a regular file');

  // One byte over the bound, in case it grew since.
  const buffer = Buffer.allocUnsafe(Math.min(stat.size, maxConfigBytes) + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  if (stat.size > maxConfigBytes || length > maxConfigBytes) {
    return problem(`is larger than ${maxConfigBytes / 1024 / 1024} MiB`);
  }
  return decodeText(buffer.subarray(0, length));
}

/** UTF-8 with or without its mark; anything else is named. */
export function decodeText(bytes: Uint8Array): TextFile {
  const [first, second] = bytes;
  const utf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  if (utf16) return problem('is stored as UTF-16; save it as UTF-8');
  if (bytes.includes(0)) return problem('is a binary file, not text');
  try {
    return { kind: 'text', text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return problem('is not valid UTF-8 text');
  }
}

function failure(error: unknown): TextFile {
  const code = systemCode(error) ?? 'unknown error';
  if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'absent' };
  return problem(FAILURES[code] ?? `cannot be read (${code})`);
}

const FAILURES: Record<string, string> = {
  EISDIR: 'is a folder, not a file',
  ELOOP: 'is a symbolic link that leads back to itself',
  EACCES: 'cannot be read: this user has no permission',
  EPERM: 'cannot be read: this user has no permission',
};

function problem(message: string): TextFile {
  return { kind: 'problem', message };
}
