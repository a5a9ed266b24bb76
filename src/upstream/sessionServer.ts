// What a session sees of the server behind it, whether that is a process of its own or one that it shares.
import type { RpcMessage } from '../mcp/message.ts';
import type { TunnelError } from '../core/errors.ts';
import type { ChildMessage } from './childMessage.ts';

export interface SessionServer {
  /** Whether it takes another message. */
  readonly hasRoom: boolean;
  /** Sends `initialize`; `failed` when the server refuses it. Throws `UPSTREAM_START`, `CANCELLED`. */
  initialize(request: RpcMessage & { kind: 'request' }, body: Uint8Array, signal: AbortSignal): Promise<Initialised>;
  /** One message of the agent: a parsed copy, and its bytes. `overdue`: the server was away too long, it was never sent. */
  send(message: RpcMessage, bytes: Uint8Array, overdue?: () => void): void;
  /** Whether it knows calls by other ids than the agent gave them. */
  readonly lendsIds: boolean;
  /** Whether what it writes can be left unread while this session's agent reads slowly. */
  readonly canWait: boolean;
  /** What the server writes is left unread until {@link resume}; of no effect where it cannot wait. */
  pause(): void;
  resume(): void;
  /** Ends the process behind it and starts it anew; `why` is for the developer. */
  restart(why: string): void;
  /** The session needs it no more. Idempotent; resolves when nothing of it is left. */
  end(): Promise<void>;
}

export type Initialised = { bytes: Uint8Array; failed: boolean };

export type SessionServerEvents = {
  onMessage: (message: ChildMessage) => void;
  /** A line was too long to be read; nobody knows what was in it. */
  onOverlong: (error: TunnelError) => void;
  /** What was asked will not be answered; it is being started again. */
  onInterrupted: (error: TunnelError) => void;
  /** It is there again, and knows what it was told; `changes` are notifications that the agent should hear. */
  onResumed: (changes: readonly string[]) => void;
  /** It is gone for good. */
  onOver: (error: TunnelError) => void;
};

export type OpenSessionServer = (
  session: { id: string; principal: string },
  events: SessionServerEvents,
) => Promise<SessionServer>;
