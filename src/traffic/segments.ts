// What was said in exchanges that are not the newest, on the disk: in files of a bounded size and number that no other
// user can read, deleted when nothing in them is held any more, and all of them at the close. Secrets are out before.
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of one file, unless one record alone is larger. */
export const maxSegmentBytes = 8 * 1024 * 1024;

/** Files at the same time; the oldest is deleted when there is one more. */
export const maxSegments = 64;

/** Bytes read at once: who looks through all records reads them in the order they were written. */
const readAheadBytes = 256 * 1024;

export type SegmentPlace = { readonly segment: number; readonly at: number; readonly length: number };

type Segment = { number: number; path: string; handle: FileHandle; size: number; held: number };

export class Segments {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #max: number;
  /** Oldest first; the last one is written to. */
  readonly #segments = new Map<number, Segment>();
  #current: Segment | undefined;
  #next = 1;
  #ahead: { segment: number; at: number; bytes: Buffer } | undefined;
  /** Writes and deletions, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** `folder` is this log's own; it is made with the first record and deleted at the close. */
  constructor(folder: string, { maxBytes = maxSegmentBytes, max = maxSegments } = {}) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#max = max;
  }

  get files(): number {
    return this.#segments.size;
  }

  get bytes(): number {
    return [...this.#segments.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Rejects with nothing of it held when it could not be written, as on a full disk. */
  append(records: readonly Buffer[]): Promise<SegmentPlace[]> {
    return this.#inTurn(() => this.#append(records));
  }

  /** `undefined` where it is not held any more. */
  async read({ segment: number, at, length }: SegmentPlace): Promise<Buffer | undefined> {
    const segment = this.#segments.get(number);
    if (!segment) return undefined;
    const ahead = this.#ahead;
    if (ahead?.segment === number && at >= ahead.at && at + length <= ahead.at + ahead.bytes.length) {
      return ahead.bytes.subarray(at - ahead.at, at - ahead.at + length);
    }
    const bytes = Buffer.alloc(Math.max(length, Math.min(readAheadBytes, segment.size - at)));
    try {
      const { bytesRead } = await segment.handle.read(bytes, 0, bytes.length, at);
      if (bytesRead < length) return undefined;
      this.#ahead = { segment: number, at, bytes: bytes.subarray(0, bytesRead) };
      return bytes.subarray(0, length);
    } catch {
      return undefined; // Deleted meanwhile, or the disk cannot read it: what was said is lost, the exchange is not.
    }
  }

  /** Nobody will ask for this record again. */
  release({ segment: number }: SegmentPlace): void {
    const segment = this.#segments.get(number);
    if (!segment) return;
    segment.held -= 1;
    if (segment.held === 0) this.#delete(segment);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn; // A file may be opened at this very moment.
    for (const segment of this.#segments.values()) this.#delete(segment);
    await this.#turn;
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #append(records: readonly Buffer[]): Promise<SegmentPlace[]> {
    if (this.#closed) throw new Error('the traffic log is closed');
    const segment = await this.#writable();
    const bytes = Buffer.concat(records);
    const start = segment.size;
    segment.held += records.length; // Not deleted while it is written to.
    try {
      for (let written = 0; written < bytes.length;) {
        written += (await segment.handle.write(bytes, written, bytes.length - written, start + written)).bytesWritten;
      }
    } catch (error) {
      segment.held -= records.length;
      if (segment.held === 0) this.#delete(segment);
      throw error;
    }
    segment.size += bytes.length;
    let at = start;
    return records.map(({ length }) => {
      at += length;
      return { segment: segment.number, at: at - length, length };
    });
  }

  async #writable(): Promise<Segment> {
    if (this.#current && this.#current.size < this.#maxBytes) return this.#current;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const number = this.#next++;
    const path = join(this.#folder, `${number}.seg`);
    const handle = await open(path, 'wx+', 0o600);
    this.#current = { number, path, handle, size: 0, held: 0 };
    this.#segments.set(number, this.#current);
    const [oldest] = this.#segments.values();
    if (oldest && this.#segments.size > this.#max) this.#delete(oldest);
    return this.#current;
  }

  #delete(segment: Segment): void {
    this.#segments.delete(segment.number);
    if (this.#current === segment) this.#current = undefined;
    if (this.#ahead?.segment === segment.number) this.#ahead = undefined;
    void this.#inTurn(async () => {
      await segment.handle.close();
      await rm(segment.path, { force: true });
    }).catch(() => {}); // What is left goes with the folder.
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => {});
    return done;
  }
}
