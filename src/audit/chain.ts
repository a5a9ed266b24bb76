// One chain on the disk, written by one process at a time: lines go to its last segment, full or old segments are
// sealed and followed by the next, the oldest are removed with a record that says so. A write happens whole or not at
// all; when nobody can know any more what the disk has, the chain takes nothing further.
import { rm, rmdir } from 'node:fs/promises';
import type { Clock } from '../core/clock.ts';
import { systemCode, TunnelError } from '../core/errors.ts';
import type { AuditEvent } from './auditEvent.ts';
import { openChainFile, type ChainFile } from './chainFile.ts';
import { after, readStart, readTail, type Tail } from './chainTail.ts';
import { lineHash, type Head, type Link } from './link.ts';
import { formatRecord } from './record.ts';
import { choosePruned, type RetentionBounds } from './retention.ts';
import { listSegments, segmentName } from './segments.ts';
import { formatSigned, signedKinds, type SignedRecord, type Signer } from './signedRecord.ts';

/** A segment that has grown to this is sealed before the next write; so it is at most one write larger. */
export const maxSegmentBytes = 16 * 1024 * 1024;

/** A segment older than this is sealed before the next write. */
export const maxSegmentMs = 24 * 60 * 60 * 1000;

export type SegmentBounds = { maxSegmentBytes: number; maxSegmentMs: number };

export type ChainOptions = {
  /** The chain's id; its folder has the same name. */
  chain: string;
  folder: string;
  /** Who writes from now on. */
  helper: string;
  /** Ends of the chains beside this one, noted so that a chain that disappears is missed. */
  others: ({ chain: string } & Head)[];
  clock: Clock;
  signer: Signer;
  openFile?: (folder: string, path: string) => Promise<ChainFile>;
  bounds?: Partial<SegmentBounds & RetentionBounds>;
};

export class Chain {
  readonly #options: ChainOptions;
  readonly #bounds: SegmentBounds & Partial<RetentionBounds>;
  #segment: number;
  #file: ChainFile;
  #size: number;
  #last: Head | undefined;
  /** When the first record of the segment was written; unknown for one that is empty. */
  #startedMs: number | undefined;
  /** What a killed process left: how much of a line, and whether it left without a seal. Put right by the first write. */
  #left: { torn: Buffer; unsealed: boolean } | undefined;
  #isSealed = false;
  #begun = false;
  #broken: TunnelError | undefined;

  /** Writes nothing yet. Throws `STATE_UNWRITABLE`. */
  static async open(options: ChainOptions): Promise<Chain> {
    const { folder, openFile = openChainFile } = options;
    const numbers = await listSegments(folder);
    const segment = numbers.at(-1) ?? 1;
    const file = await openFile(folder, `${folder}/${segmentName(segment)}`);
    try {
      const tail = await readTail(file);
      const before = tail.last ?? (await lastBefore(numbers, folder, openFile));
      return new Chain(options, { segment, file, tail, before, startedMs: await readStart(file) });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  private constructor(
    options: ChainOptions,
    at: { segment: number; file: ChainFile; tail: Tail; before: Tail['last']; startedMs: number | undefined },
  ) {
    const { torn, size } = at.tail;
    this.#options = options;
    this.#bounds = { maxSegmentBytes, maxSegmentMs, ...options.bounds };
    this.#segment = at.segment;
    this.#file = at.file;
    this.#size = size;
    this.#last = at.before?.head;
    this.#startedMs = at.startedMs;
    const unsealed = at.before !== undefined && !at.before.isSeal;
    if (torn.length > 0 || unsealed) this.#left = { torn, unsealed };
  }

  get path(): string {
    return `${this.#options.folder}/${segmentName(this.#segment)}`;
  }

  /** The last record that is written; `undefined` in a chain that has none. */
  get head(): Head | undefined {
    return this.#last;
  }

  /** Why nothing can be written any more, ever. */
  get broken(): TunnelError | undefined {
    return this.#broken;
  }

  /** All of them or none; in order. Throws `STATE_UNWRITABLE`. */
  async write(events: readonly AuditEvent[]): Promise<void> {
    if (this.#broken) throw this.#broken;
    if (!this.#begun) await this.#begin();
    if (this.#isDue()) await this.#rotate();
    await this.#writeLines(events);
  }

  /** Makes durable what was written. After a failure nobody knows what the disk has (the kernel forgets). */
  async sync(): Promise<void> {
    try {
      await this.#file.sync();
    } catch (cause) {
      this.#broken ??= this.#unwritable(cause);
    }
  }

  /** Somebody may have moved, cut or written the file behind our back: then its chain is not ours any more. */
  async checkUntouched(): Promise<void> {
    const { size, gone } = await this.#file.stat();
    if (size === this.#size && !gone) return;
    const what = gone ? 'removed' : 'changed by somebody else';
    const message = `the audit log ${this.path} was ${what} while in use; stop this helper and start it again`;
    this.#broken = new TunnelError('STATE_UNWRITABLE', message, { data: { path: this.path } });
    throw this.#broken;
  }

  /** Seals what was written since it was opened, and waits for the disk. A chain without a record leaves no file. */
  async close(): Promise<void> {
    try {
      if (this.#broken || !this.#begun) return;
      if (!this.#isSealed) await this.#writeLines([{ kind: 'sealed', chain: this.#options.chain, why: 'closed' }]);
      await this.sync();
      if (this.#broken) throw this.#broken as Error;
    } finally {
      await this.#file.close();
      if (!this.#last && !this.#left && !this.#broken) await this.#removeEmpty();
    }
  }

  async #begin(): Promise<void> {
    const { chain, helper, others } = this.#options;
    const records: SignedRecord[] = [];
    const { torn = Buffer.alloc(0), unsealed = false } = this.#left ?? {};
    if (torn.length > 0) {
      await this.#cutBack();
      if (this.#broken) throw this.#broken as Error;
      records.push({ kind: 'repaired', chain, tornBytes: torn.length, tornSha256: lineHash(torn) });
    }
    if (unsealed || torn.length > 0) records.push({ kind: 'sealed', chain, why: 'recovered' });
    await this.#writeLines([...records, { kind: 'started', chain, helper, pid: process.pid, others }]);
    this.#left = undefined;
    this.#begun = true;
    await this.#tryPrune();
  }

  #isDue(): boolean {
    if (this.#isSealed) return true; // A rotation that could not open the next segment.
    const ageMs = this.#startedMs === undefined ? 0 : this.#options.clock.now() - this.#startedMs;
    return this.#size >= this.#bounds.maxSegmentBytes || ageMs >= this.#bounds.maxSegmentMs;
  }

  async #rotate(): Promise<void> {
    const { chain, folder, openFile = openChainFile } = this.#options;
    if (!this.#isSealed) await this.#writeLines([{ kind: 'sealed', chain, why: 'rotated' }]);
    this.#isSealed = true;
    await this.sync();
    if (this.#broken) throw this.#broken as Error;
    const next = await openFile(folder, `${folder}/${segmentName(this.#segment + 1)}`);
    await this.#file.close();
    this.#file = next;
    this.#segment += 1;
    this.#size = 0;
    this.#startedMs = undefined;
    this.#isSealed = false;
    await this.checkUntouched();
    await this.#tryPrune();
  }

  async #tryPrune(): Promise<void> {
    try {
      await this.#prune();
    } catch (error) {
      // It is tried again with the next segment; what waits to be written finds out by itself whether it can be.
      if (this.#broken) throw error;
    }
  }

  /** The record first: what is gone without one counts as removed by somebody. */
  async #prune(): Promise<void> {
    const { chain, folder, clock } = this.#options;
    const pruned = await choosePruned(folder, this.#segment, clock.now(), this.#bounds);
    if (!pruned) return;
    await this.#writeLines([{ kind: 'pruned', chain, through: pruned.through, why: pruned.why }]);
    await this.sync();
    // One that cannot be removed is there at the next start, and chosen again.
    for (const number of pruned.segments) await rm(`${folder}/${segmentName(number)}`).catch(() => {});
  }

  async #writeLines(records: readonly (AuditEvent | SignedRecord)[]): Promise<void> {
    const nowMs = this.#options.clock.now();
    let last = this.#last;
    let text = '';
    for (const record of records) {
      const line = this.#format(after(last), nowMs, record);
      text += `${line}\n`;
      last = { seq: (last?.seq ?? 0) + 1, hash: lineHash(line) };
    }
    const bytes = Buffer.from(text);
    try {
      for (let at = 0; at < bytes.length;) at += await this.#file.write(bytes.subarray(at));
    } catch (cause) {
      await this.#cutBack();
      throw this.#unwritable(cause);
    }
    this.#last = last;
    this.#size += bytes.length;
    this.#startedMs ??= nowMs;
  }

  #format(link: Link, nowMs: number, record: AuditEvent | SignedRecord): string {
    if (isOwn(record)) return formatSigned(link, nowMs, record, this.#options.signer);
    return formatRecord(link, nowMs, record);
  }

  /** What was written in part must not stay: its records were reported as not written. */
  async #cutBack(): Promise<void> {
    try {
      if ((await this.#file.stat()).size !== this.#size) await this.#file.truncate(this.#size);
    } catch (cause) {
      this.#broken = this.#unwritable(cause);
    }
  }

  async #removeEmpty(): Promise<void> {
    await rm(this.path).catch(() => {}); // An empty file says nothing; whether it goes does not matter.
    await rmdir(this.#options.folder).catch(() => {});
  }

  #unwritable(cause: unknown): TunnelError {
    const code = systemCode(cause);
    const reason = code === 'ENOSPC' ? 'the disk is full' : (code ?? String(cause));
    const message = `the audit log ${this.path} cannot be written (${reason}); calls are refused until it can`;
    return new TunnelError('STATE_UNWRITABLE', message, { cause, retryable: true, data: { path: this.path } });
  }
}

function isOwn(record: AuditEvent | SignedRecord): record is SignedRecord {
  return Object.hasOwn(signedKinds, record.kind);
}

/** The last line before the last segment, which is empty: a process was killed between two segments. */
async function lastBefore(
  numbers: readonly number[],
  folder: string,
  openFile: NonNullable<ChainOptions['openFile']>,
): Promise<Tail['last']> {
  for (const number of numbers.slice(0, -1).toReversed()) {
    const file = await openFile(folder, `${folder}/${segmentName(number)}`);
    try {
      const { last } = await readTail(file);
      if (last) return last;
    } finally {
      await file.close();
    }
  }
  return undefined;
}
