// The append-only log of one helper: JSON lines, each with the hash of the one before. An append resolves when write(2)
// has returned, so the record survives a kill -9; what cannot be written rejects, and the call it tells of is refused.
import type { Clock, TimerHandle } from '../core/clock.ts';
import { systemCode, TunnelError } from '../core/errors.ts';
import type { AuditEvent, RepairRecord } from './auditEvent.ts';
import { openChainFile, type ChainFile } from './chainFile.ts';
import { readTail, type Tail } from './chainTail.ts';
import { formatRecord, lineHash, type Link } from './record.ts';

/** Appends that may wait for the disk; more are refused with `LIMIT`. */
export const maxQueuedEvents = 10_000;

/** Records written with one write(2). */
export const maxBatch = 500;

/** What was written is made durable at most this much later (`sync: 'interval'`). */
export const syncIntervalMs = 1_000;

export const firstSegment = '000001.jsonl';

export type AuditLogOptions = {
  folder: string;
  clock: Clock;
  /** `always`: an append also waits until the disk has it. */
  sync?: 'always' | 'interval';
  openFile?: (folder: string, path: string) => Promise<ChainFile>;
};

type Queued = { event: AuditEvent | RepairRecord; resolve: () => void; reject: (error: unknown) => void };

export class AuditLog {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #sync: 'always' | 'interval';
  readonly #file: ChainFile;
  #next: Link;
  #size: number;
  #queue: Queued[] = [];
  #writing: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #syncTimer: TimerHandle | undefined;
  /** Set after each fdatasync: before the next write the file is looked at. */
  #checkDue = false;
  /** Set when the file is no longer what it was written as: nothing more is appended to it. */
  #broken: TunnelError | undefined;
  #closing: Promise<void> | undefined;

  /** Repairs a line that a killed process left torn, and notes it. Throws `STATE_UNWRITABLE`. */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    const path = `${options.folder}/${firstSegment}`;
    const file = await (options.openFile ?? openChainFile)(options.folder, path);
    try {
      const tail = await readTail(file);
      const log = new AuditLog(options, path, file, tail);
      if (tail.torn.length > 0) await log.#repair(tail);
      return log;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  private constructor(options: AuditLogOptions, path: string, file: ChainFile, tail: Tail) {
    this.#path = path;
    this.#clock = options.clock;
    this.#sync = options.sync ?? 'interval';
    this.#file = file;
    this.#next = tail.next;
    this.#size = tail.size;
  }

  /** Keeps the order of the calls. Rejects with `STATE_UNWRITABLE`, `LIMIT` or `CLOSED`: then nothing was recorded. */
  append(event: AuditEvent): Promise<void> {
    if (this.#closing) return Promise.reject(new TunnelError('CLOSED', 'the audit log is closed'));
    return this.#enqueue(event);
  }

  /** Waits for what is queued, and for the disk. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #enqueue(event: AuditEvent | RepairRecord): Promise<void> {
    if (this.#broken) return Promise.reject(this.#broken);
    if (this.#queue.length >= maxQueuedEvents) {
      return Promise.reject(new TunnelError('LIMIT', 'the audit log cannot keep up; try again later'));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ event, resolve, reject });
      this.#writing ??= this.#drain();
    });
  }

  async #drain(): Promise<void> {
    // Whatever is appended in this turn of the event loop shares one write.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, maxBatch);
      try {
        await this.#write(batch.map(({ event }) => event));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#writing = undefined;
  }

  async #write(events: readonly (AuditEvent | RepairRecord)[]): Promise<void> {
    if (this.#broken) throw this.#broken;
    if (this.#checkDue) await this.#checkUntouched();
    let link = this.#next;
    let text = '';
    for (const event of events) {
      const line = formatRecord(link, this.#clock.now(), event);
      text += `${line}\n`;
      link = { seq: link.seq + 1, prev: lineHash(line) };
    }
    const bytes = Buffer.from(text);
    try {
      for (let at = 0; at < bytes.length;) at += await this.#file.write(bytes.subarray(at));
    } catch (cause) {
      await this.#cutBack();
      throw this.#unwritable(cause);
    }
    this.#next = link;
    this.#size += bytes.length;
    if (this.#sync === 'always') await this.#makeDurable();
    else this.#syncTimer ??= this.#clock.after(syncIntervalMs, () => this.#syncLater());
    if (this.#broken) throw this.#broken;
  }

  /** A batch that was written in part must not stay: its records were reported as not written. */
  async #cutBack(): Promise<void> {
    try {
      if ((await this.#file.stat()).size !== this.#size) await this.#file.truncate(this.#size);
    } catch (cause) {
      this.#broken = this.#unwritable(cause);
    }
  }

  #syncLater(): void {
    this.#syncTimer = undefined;
    this.#syncing = this.#makeDurable().finally(() => (this.#syncing = undefined));
  }

  /** After a failed fdatasync nobody knows what the disk has (the kernel forgets): the log is closed for good. */
  async #makeDurable(): Promise<void> {
    try {
      await this.#file.sync();
      this.#checkDue = true;
    } catch (cause) {
      this.#broken ??= this.#unwritable(cause);
    }
  }

  /** Somebody may have moved, cut or written the file behind our back: then its chain is not ours any more. */
  async #checkUntouched(): Promise<void> {
    this.#checkDue = false;
    const { size, gone } = await this.#file.stat();
    if (size === this.#size && !gone) return;
    const what = gone ? 'removed' : 'changed by somebody else';
    const message = `the audit log ${this.#path} was ${what} while in use; close the tunnel and open it again`;
    this.#broken = new TunnelError('STATE_UNWRITABLE', message, { data: { path: this.#path } });
    throw this.#broken;
  }

  async #repair({ size, torn }: Tail): Promise<void> {
    try {
      await this.#file.truncate(size);
    } catch (cause) {
      throw this.#unwritable(cause);
    }
    await this.#enqueue({ kind: 'repaired', tornBytes: torn.length, tornSha256: lineHash(torn) });
  }

  async #close(): Promise<void> {
    await this.#writing;
    this.#syncTimer?.cancel();
    await this.#syncing;
    if (!this.#broken) await this.#file.sync();
    await this.#file.close();
  }

  #unwritable(cause: unknown): TunnelError {
    const code = systemCode(cause);
    const reason = code === 'ENOSPC' ? 'the disk is full' : (code ?? String(cause));
    const message = `the audit log ${this.#path} cannot be written (${reason}); calls are refused until it can`;
    return new TunnelError('STATE_UNWRITABLE', message, { cause, retryable: true, data: { path: this.#path } });
  }
}
