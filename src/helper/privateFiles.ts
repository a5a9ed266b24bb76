// The state folder's small files (keys, grants, policy): a reader sees the old text or the new one, never half of it;
// nobody but the user can read them; several processes change them one after the other.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode, TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import { ensureFolder } from './ensureFolder.ts';
import { fileProblem } from './fileProblem.ts';
import { lockFile } from './fileLock.ts';
import { removeFile, replaceFile, syncFolder } from './platformFiles.ts';

/** Nothing that is kept here grows so large; a larger file is not ours. */
export const maxPrivateFileBytes = 16 * 1024 * 1024;

export class PrivateFileStore implements PrivateFiles {
  read(path: string): Promise<string | undefined> {
    return explained(path, () => readText(path));
  }

  async write(path: string, text: string): Promise<void> {
    await this.update(path, () => text);
  }

  async update(path: string, change: (old: string | undefined) => string | Promise<string>): Promise<string> {
    const letGo = await explained(path, async () => {
      await ensureFolder(dirname(path));
      return lockFile(path);
    });
    try {
      const old = await explained(path, () => readText(path));
      const text = await change(old);
      if (text !== old) await explained(path, () => replaceText(path, text));
      return text;
    } finally {
      await explained(path, letGo);
    }
  }
}

export const privateFiles: PrivateFiles = new PrivateFileStore();

async function readText(path: string): Promise<string | undefined> {
  let handle;
  try {
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)); // A pipe must not be waited for.
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const found = await handle.stat();
    if (!found.isFile() && !found.isDirectory()) {
      const message = `${path} is no regular file: put a file there, or remove it`;
      throw new TunnelError('STATE_UNWRITABLE', message, { data: { path } });
    }
    if (found.size > maxPrivateFileBytes) {
      const message = `${path} is larger than ${maxPrivateFileBytes} bytes, so it is not a file of ours: move it away`;
      throw new TunnelError('STATE_UNWRITABLE', message, { data: { path } });
    }
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** Under the lock of `path`, so one name for the temporary file is enough and a killed process leaves one at most. */
async function replaceText(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  await removeFile(temporary);
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await replaceFile(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await removeFile(temporary).catch(() => {}); // The first failure is the one to tell.
    throw error;
  }
}

async function explained<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw fileProblem(path, error);
  }
}
