// One stream of a link as a Duplex. What it is given to send waits in a short queue of its own until the link's
// scheduler takes it; what arrives waits in its read buffer, and is credited to the sender only once it has left that.
import { Duplex } from 'node:stream';
import { cutCode, ProtocolError } from './frame.ts';

/** Written bytes that a stream takes before its writer has to wait. */
export const maxQueuedBytes = 64 * 1024;

type Done = (error?: Error | null) => void;

/** What a stream asks of its link. */
export type StreamHost = {
  /** There is something to send: bytes, or the end. */
  ready(stream: FrameStream): void;
  /** The reader took `bytes` more. */
  credit(stream: FrameStream, bytes: number): void;
  /** So many bytes more (or fewer) wait for readers. */
  unread(bytes: number): void;
  /** Nobody uses it any more; `code` where the other side must be told. */
  gone(stream: FrameStream, code: number | undefined): void;
};

export class FrameStream extends Duplex {
  readonly id: number;
  /** In the scheduler's ring. */
  isQueued = false;
  readonly #host: StreamHost;
  readonly #windowBytes: number;
  readonly #queue: Buffer[] = [];
  /** Of `#queue[0]`: sent already. */
  #offset = 0;
  #queuedBytes = 0;
  #queued: Done | undefined;
  #ending: Done | undefined;
  /** What the other side still takes. */
  #credit: number;
  #received = 0;
  #credited = 0;
  #unread = 0;
  #endSent = false;
  #endReceived = false;
  #isCut = false;
  #rstCode = 0;

  constructor(id: number, windowBytes: number, host: StreamHost) {
    super({ readableHighWaterMark: windowBytes, writableHighWaterMark: 16 * 1024 });
    this.id = id;
    this.#host = host;
    this.#windowBytes = windowBytes;
    this.#credit = windowBytes;
  }

  /** How it ended: 0 in order, else one of `cutCode`. */
  get rstCode(): number {
    return this.#rstCode;
  }

  /** Bytes that wait at this end, in both directions. */
  get waitingBytes(): number {
    return this.#queuedBytes + this.writableLength + this.readableLength;
  }

  get unsentBytes(): number {
    // What is in the queue counts as written, except for a chunk that made it too long.
    return Math.max(this.#queuedBytes, this.writableLength);
  }

  get unreadBytes(): number {
    return this.#unread;
  }

  /** What may be sent of it now, in bytes. */
  get sendable(): number {
    return Math.min(this.#queuedBytes, this.#credit);
  }

  get isEndDue(): boolean {
    return this.#ending !== undefined && this.#queuedBytes === 0;
  }

  /** Adds the next bytes to send to `into` and returns how many they are: `most`, or less. Only up to `sendable`. */
  dequeue(most: number, into: Buffer[]): number {
    let taken = 0;
    while (taken < most) {
      const first = this.#queue[0]!;
      const end = Math.min(first.length, this.#offset + most - taken);
      into.push(this.#offset === 0 && end === first.length ? first : first.subarray(this.#offset, end));
      taken += end - this.#offset;
      this.#offset = end;
      if (end < first.length) break;
      this.#queue.shift();
      this.#offset = 0;
    }
    this.#queuedBytes -= taken;
    this.#credit -= taken;
    const done = this.#queued;
    if (done && this.#queuedBytes < maxQueuedBytes) {
      this.#queued = undefined;
      done();
    }
    return taken;
  }

  endSent(): void {
    this.#endSent = true;
    const done = this.#ending;
    this.#ending = undefined;
    done?.();
    if (this.destroyed) this.#host.gone(this, this.#endReceived ? undefined : cutCode.done);
  }

  /** Throws `ProtocolError` where the sender had no credit for it. */
  receive(bytes: Buffer): void {
    if (this.#endReceived) throw new ProtocolError('DATA after END');
    this.#received += bytes.length;
    if (this.#received - this.#credited > this.#windowBytes) throw new ProtocolError('DATA past the credit');
    if (this.#isCut || this.destroyed) return;
    this.push(bytes);
    this.#settle();
  }

  /** Throws `ProtocolError` where there is more than anybody could have taken. */
  receiveCredit(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit > this.#windowBytes) throw new ProtocolError('CREDIT for what was never sent');
    if (this.#queuedBytes > 0) this.#host.ready(this);
  }

  receiveEnd(): void {
    if (this.#endReceived) throw new ProtocolError('END twice');
    this.#endReceived = true;
    if (!this.destroyed) this.push(null);
  }

  /** The other side is done with it, or the link is. What it ended in order may still be read to its end. */
  cut(code: number): void {
    if (this.#isCut || (this.#endSent && this.#endReceived)) return;
    this.#isCut = true;
    this.#rstCode = code;
    this.#drop();
    if (this.destroyed) return; // It was only waiting for its last bytes to go.
    if (code !== cutCode.done) return void this.destroy();
    if (!this.#endReceived) this.push(null);
    this.#endReceived = true;
    if (this.readableEnded) this.destroy();
    else this.once('end', () => this.destroy());
  }

  /** This side wants no more of it, for a reason of the link's. */
  abandon(code: number): void {
    if (this.destroyed) return;
    this.#isCut = true;
    this.#rstCode = code;
    this.#host.gone(this, code);
    this.destroy();
  }

  override read(size?: number): unknown {
    const chunk: unknown = super.read(size);
    this.#settle();
    return chunk;
  }

  override _read(): void {} // What comes is pushed; credit holds the sender back.

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    this.#enqueue([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#enqueue(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: Done): void {
    if (this.#isCut) return done();
    this.#ending = done;
    this.#host.ready(this);
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#unreadIs(0);
    // It has said all it had to say, in order: the last of it is still sent.
    if (!error && !this.#isCut && this.#ending) return done(null);
    const isOver = this.#isCut || (this.#endSent && this.#endReceived);
    if (!isOver) {
      this.#rstCode = error ? cutCode.failed : cutCode.done;
      this.#isCut = true;
    }
    this.#drop();
    this.#host.gone(this, isOver ? undefined : this.#rstCode);
    done(error);
  }

  #enqueue(chunks: Buffer[], done: Done): void {
    // Nobody is there to read it, and 'close' tells; a writer without end must not keep the event loop until then.
    if (this.#isCut) return void setImmediate(done);
    for (const chunk of chunks) {
      if (chunk.length === 0) continue;
      this.#queue.push(chunk);
      this.#queuedBytes += chunk.length;
    }
    if (this.#queuedBytes < maxQueuedBytes) done();
    else this.#queued = done;
    if (this.#queuedBytes > 0) this.#host.ready(this);
  }

  /** What was to be sent is not wanted any more. */
  #drop(): void {
    this.#queue.length = 0;
    this.#offset = 0;
    this.#queuedBytes = 0;
    const waiting = [this.#queued, this.#ending];
    this.#queued = undefined;
    this.#ending = undefined;
    for (const done of waiting) done?.();
  }

  /** Credits what has left the read buffer, and nothing before: a chunk that is about to be read can still be put back. */
  #settle(): void {
    if (this.destroyed) return;
    this.#unreadIs(this.readableLength);
    const taken = this.#received - this.readableLength - this.#credited;
    if (taken < this.#windowBytes / 16 || this.#endReceived) return;
    this.#credited += taken;
    this.#host.credit(this, taken);
  }

  #unreadIs(bytes: number): void {
    if (bytes === this.#unread) return;
    this.#host.unread(bytes - this.#unread);
    this.#unread = bytes;
  }
}
