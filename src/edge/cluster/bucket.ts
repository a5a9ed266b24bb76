// The store that the nodes of an edge share, as the rest of the product sees it: texts under keys, changed only where
// they are still what was read, and a copy of all of them that is always at hand. `natsBucket.ts`, loaded on demand,
// keeps them in NATS. What crosses that border is data: bundles share no classes.

/** Longest value, in bytes; a longer one in the store is a stranger's and ignored, ours are never as long. */
export const maxValueBytes = 64 * 1024;
/** What the whole bucket may take where we make it; at the limit the store refuses new entries. */
export const maxBucketBytes = 256 * 1024 * 1024;
/** How long the store may take to answer. */
export const answerMs = 2_000;
/** What was written must come back by the watch within this, or the watch is taken for dead and begun anew. */
export const echoMs = 5_000;

/** `revision` is that of the last change, a removal too; 0 where the key was never there. */
export type Stored = { text: string | undefined; revision: number };

export type Read = ({ kind: 'read' } & Stored) | Unreachable;
/** `conflict`: the key is not what was expected any more. */
export type Written = { kind: 'written'; revision: number } | { kind: 'conflict' } | Unreachable;
type Unreachable = { kind: 'unreachable'; why: string };

export type BucketEvents = {
  /**
   * Everything that is there, after the first connection and each one that followed a loss. `highest` is the last
   * revision that the store ever gave: one that falls says that the store is an older one.
   */
  onSnapshot: (entries: ReadonlyMap<string, { text: string; revision: number }>, highest: number) => void;
  /** One change; `text` is absent where the key was removed. */
  onChange: (key: string, stored: Stored) => void;
  /** The connection was lost, and for what reason. A snapshot says that it is back. */
  onLost: (why: string) => void;
};

export type BucketOptions = BucketEvents & {
  /** `nats://` or `tls://`, without credentials. */
  servers: readonly string[];
  /** The content of a file: NATS's own (`nsc`), a seed, `user:password`, or a token. */
  credentials?: string;
  /** PEM of who vouches for the servers, where no public authority does. */
  ca?: string;
  bucket: string;
  /** Asked for what is to stand under `meta` where nobody has written it yet. */
  meta: () => Promise<string>;
};

export interface Bucket {
  /** Whether the copy follows the store now. */
  readonly online: boolean;
  read(key: string): Promise<Read>;
  /** `expected` is the revision that was read; absent writes whatever is there. */
  write(key: string, text: string, expected?: number): Promise<Written>;
  remove(key: string, expected?: number): Promise<Written>;
  close(): Promise<void>;
}

/** Resolves with the first snapshot delivered; rejects with a plain Error that says why there is none. */
export type OpenBucket = (options: BucketOptions) => Promise<Bucket>;
