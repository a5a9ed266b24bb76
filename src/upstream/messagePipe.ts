// What a session needs of whatever carries its messages: lines of JSON both ways, words for people, and an end. A child
// process is one; a connection to a server that speaks only HTTP+SSE is another.
import type { Readable, Writable } from 'node:stream';
import type { Exit } from './childProcess.ts';

export interface MessagePipe {
  /** Of a process; absent where there is none. */
  readonly pid?: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when it has ended and everything it wrote was delivered. */
  readonly exited: Promise<Exit>;
  /** Idempotent; resolves when nothing of it is left. */
  end(): Promise<void>;
}

/** Throws `UPSTREAM_*` when there is nobody to talk to; nothing stays open then. */
export type OpenPipe = () => Promise<MessagePipe>;
