// The append-only log of one helper. An append resolves when write(2) has returned, so the record survives a kill -9;
// what cannot be written rejects, and the call it tells of is refused.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { TimerHandle } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { TunnelError } from '../core/errors.ts';
import type { AuditEvent } from './auditEvent.ts';
import { Chain, type ChainOptions } from './chain.ts';
import type { Head } from './link.ts';

/** Appends that may wait for the disk; more are refused with `LIMIT`. */
export const maxQueuedEvents = 10_000;

/** Records written with one write(2). */
export const maxBatch = 500;

/** What was written is made durable at most this much later (`interval`). */
export const syncIntervalMs = 1_000;

/** What nothing waits for is written with the next record that something waits for, or this much later. */
export const soonMs = 50;

export type AuditLogOptions = ChainOptions & {
  /** `always`: an append also waits until the disk has it. Asked with each write. */
  sync?: () => 'always' | 'interval';
  /** Called when nothing more will be written. */
  release?: () => Promise<void>;
};

type Queued = { event: AuditEvent; resolve: () => void; reject: (error: unknown) => void };

export class AuditLog {
  readonly chain: string;
  /** The public key of its signatures, 64 hex digits. */
  readonly publicKey: string;
  readonly #options: AuditLogOptions;
  readonly #chain: Chain;
  readonly #grown = new Emitter<void>();
  #queue: Queued[] = [];
  #writing: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #syncTimer: TimerHandle | undefined;
  #soonTimer: TimerHandle | undefined;
  /** Set after each fdatasync: before the next write the file is looked at. */
  #checkDue = false;
  #closing: Promise<void> | undefined;

  /** Nothing is written before the first append; that one also repairs what a killed process left. */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    return new AuditLog(options, await Chain.open(options));
  }

  private constructor(options: AuditLogOptions, chain: Chain) {
    this.chain = options.chain;
    this.publicKey = options.signer.publicKey;
    this.#options = options;
    this.#chain = chain;
  }

  /** What has to be kept elsewhere to see a cut tail; `undefined` while there is no record. */
  get head(): Head | undefined {
    return this.#chain.head;
  }

  /** Called when {@link head} has become another one. */
  readonly onGrown = this.#grown.on;

  /** Keeps the order of the calls. Rejects with `STATE_UNWRITABLE`, `LIMIT` or `CLOSED`: then nothing was recorded. */
  append(event: AuditEvent): Promise<void> {
    return this.#enqueue(event, () => this.#drainNow());
  }

  /** The same, for what nothing waits for: it shares the next write. */
  appendSoon(event: AuditEvent): Promise<void> {
    return this.#enqueue(event, () => {
      // One that waits already comes early enough; it finds nothing where others have written meanwhile.
      if (!this.#writing) this.#soonTimer ??= this.#options.clock.after(soonMs, () => this.#drainSoon());
    });
  }

  #enqueue(event: AuditEvent, start: () => void): Promise<void> {
    if (this.#closing) return Promise.reject(new TunnelError('CLOSED', 'the audit log is closed'));
    if (this.#chain.broken) return Promise.reject(this.#chain.broken);
    if (this.#queue.length >= maxQueuedEvents) {
      return Promise.reject(new TunnelError('LIMIT', 'the audit log cannot keep up; try again later'));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ event, resolve, reject });
      start();
    });
  }

  #drainSoon(): void {
    this.#soonTimer = undefined;
    if (this.#queue.length > 0) this.#drainNow();
  }

  #drainNow(): void {
    this.#writing ??= this.#drain();
  }

  /** Waits for what is queued, seals it, and waits for the disk. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    // Whatever is appended in this turn of the event loop, by whichever connection, shares one write.
    await nextTurn();
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
    this.#grown.emit();
  }

  async #write(events: readonly AuditEvent[]): Promise<void> {
    if (this.#checkDue && !this.#chain.broken) {
      this.#checkDue = false;
      await this.#chain.checkUntouched();
    }
    await this.#chain.write(events);
    if (this.#options.sync?.() === 'always') await this.#makeDurable();
    else this.#syncTimer ??= this.#options.clock.after(syncIntervalMs, () => this.#syncLater());
    if (this.#chain.broken) throw this.#chain.broken as Error;
  }

  #syncLater(): void {
    this.#syncTimer = undefined;
    this.#syncing = this.#makeDurable().finally(() => (this.#syncing = undefined));
  }

  async #makeDurable(): Promise<void> {
    await this.#chain.sync();
    this.#checkDue = true;
  }

  async #close(): Promise<void> {
    if (this.#queue.length > 0) this.#drainNow();
    await this.#writing;
    this.#soonTimer?.cancel();
    this.#syncTimer?.cancel();
    await this.#syncing;
    try {
      await this.#chain.close();
      this.#grown.emit();
    } finally {
      await this.#options.release?.();
    }
  }
}
