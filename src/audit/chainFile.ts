// The file under the chain: appended to, cut back to the last whole record, made durable. An interface, so that a test
// can fill a disk; the real one is opened with O_APPEND, mode 0600.
import { writeSync } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { systemCode, TunnelError } from '../core/errors.ts';

export interface ChainFile {
  /** May write less than it was given, as write(2) may. Throws what the system says. */
  write(bytes: Uint8Array): Promise<number>;
  /** Up to `length` bytes at `position`. */
  read(position: number, length: number): Promise<Buffer>;
  /** `gone` when the file has been removed from its folder. */
  stat(): Promise<{ size: number; gone: boolean }>;
  truncate(size: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Throws `STATE_UNWRITABLE`. */
export async function openChainFile(folder: string, path: string): Promise<ChainFile> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new SystemChainFile(await open(path, 'a+', 0o600));
  } catch (cause) {
    const reason = systemCode(cause) ?? String(cause);
    throw new TunnelError('STATE_UNWRITABLE', `the audit log ${path} cannot be opened (${reason}); make it writable`, {
      cause,
      data: { path },
    });
  }
}

/** For a file that is looked at and left as it is. Throws what the system says. */
export async function readChainFile(path: string): Promise<Pick<ChainFile, 'read' | 'stat' | 'close'>> {
  return new SystemChainFile(await open(path, 'r'));
}

class SystemChainFile implements ChainFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Synchronous underneath: a few hundred bytes into the page cache take 2 µs, a trip through the thread pool takes 20. */
  async write(bytes: Uint8Array): Promise<number> {
    return writeSync(this.#handle.fd, bytes);
  }

  async read(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await this.#handle.read(buffer, 0, length, position);
    return buffer.subarray(0, bytesRead);
  }

  async stat(): Promise<{ size: number; gone: boolean }> {
    const { size, nlink } = await this.#handle.stat();
    return { size, gone: nlink === 0 };
  }

  truncate(size: number): Promise<void> {
    return this.#handle.truncate(size);
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
