// A bucket in JetStream's key-value store. The connection comes back by itself; after each return the whole bucket is
// read again, made anew where it is gone, and only then does it count as online. A file of its own in the product,
// loaded by an edge that has a registry.
import { jetstream, JetStreamApiError, StorageType } from '@nats-io/jetstream';
import { Kvm, type KV, type KvWatchEntry } from '@nats-io/kv';
import {
  connect,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
  type Authenticator,
  type NatsConnection,
} from '@nats-io/transport-node';
import {
  answerMs,
  echoMs,
  maxBucketBytes,
  maxValueBytes,
  type Bucket,
  type BucketOptions,
  type Read,
  type Written,
} from './bucket.ts';

/** JetStream's numbers for “the last revision of that key is another one”. */
const conflictCodes: ReadonlySet<number> = new Set([10_071, 10_164]);
const syncAgainMs = 500;
const metaKey = 'meta';
const none = { timeout: answerMs } as const;

/** {@link OpenBucket}. */
export async function openNatsBucket(options: BucketOptions): Promise<Bucket> {
  const { servers, credentials, ca } = options;
  const isTls = servers.some((server) => server.startsWith('tls://'));
  const connection = await connect({
    servers: [...servers],
    name: 'mcp-tunnel edge',
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    pingInterval: 5_000,
    maxPingOut: 2,
    timeout: answerMs,
    ignoreAuthErrorAbort: true,
    ...(isTls ? { tls: ca === undefined ? {} : { ca } } : {}),
    ...(credentials === undefined ? {} : { authenticator: authenticatorOf(credentials) }),
  });
  const bucket = new NatsBucket(connection, options);
  try {
    await bucket.start();
  } catch (error) {
    await bucket.close();
    throw error;
  }
  return bucket;
}

class NatsBucket implements Bucket {
  readonly #connection: NatsConnection;
  readonly #options: BucketOptions;
  #kv: KV | undefined;
  #isOnline = false;
  #isClosed = false;
  /** Counts the watches: what an older one still says is of no interest. */
  #watch = 0;
  #stopWatch: (() => void) | undefined;
  #seen = 0;
  #again: NodeJS.Timeout | undefined;
  #echo: NodeJS.Timeout | undefined;

  constructor(connection: NatsConnection, options: BucketOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  get online(): boolean {
    return this.#isOnline;
  }

  async start(): Promise<void> {
    void this.#followConnection();
    await this.#sync(++this.#watch);
  }

  async read(key: string): Promise<Read> {
    if (!this.#kv) return unreachable('it is not connected');
    try {
      const entry = await this.#kv.get(key);
      if (!entry) return { kind: 'read', text: undefined, revision: 0 };
      return { kind: 'read', text: entry.operation === 'PUT' ? entry.string() : undefined, revision: entry.revision };
    } catch (error) {
      return this.#failed(error);
    }
  }

  write(key: string, text: string, expected?: number): Promise<Written> {
    return this.#write(async (kv) => {
      if (expected === undefined) return kv.put(key, text, none);
      return kv.put(key, text, { ...none, previousSeq: expected });
    });
  }

  remove(key: string, expected?: number): Promise<Written> {
    return this.#write(async (kv) => {
      // With its history: a key that is gone leaves one small marker.
      await kv.purge(key, expected === undefined ? {} : { previousSeq: expected });
      return 0;
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#isOnline = false;
    this.#watch += 1;
    clearTimeout(this.#again);
    clearTimeout(this.#echo);
    this.#stopWatch?.();
    await this.#connection.close();
  }

  async #write(write: (kv: KV) => Promise<number>): Promise<Written> {
    // What is written while the connection is away would wait in a queue and be done when nobody wants it any more.
    if (!this.#kv || !this.#isOnline) return unreachable('it is not connected');
    try {
      const revision = await write(this.#kv);
      this.#expectEcho(revision);
      return { kind: 'written', revision };
    } catch (error) {
      if (error instanceof JetStreamApiError && conflictCodes.has(error.code)) return { kind: 'conflict' };
      return this.#failed(error);
    }
  }

  #failed(error: unknown): { kind: 'unreachable'; why: string } {
    const why = textOf(error);
    if (this.#isOnline) this.#lose(why);
    return unreachable(why);
  }

  #lose(why: string): void {
    if (this.#isClosed) return;
    const wasOnline = this.#isOnline;
    this.#isOnline = false;
    clearTimeout(this.#echo);
    this.#echo = undefined;
    if (wasOnline) this.#options.onLost(why);
    this.#syncLater(++this.#watch);
  }

  async #followConnection(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type === 'disconnect' || status.type === 'staleConnection') this.#lose('the connection was lost');
      if (status.type === 'reconnect' && !this.#isOnline) this.#syncLater(++this.#watch, 0);
    }
  }

  #syncLater(watch: number, ms = syncAgainMs): void {
    clearTimeout(this.#again);
    if (this.#isClosed) return;
    this.#again = setTimeout(() => {
      this.#sync(watch).catch(() => {
        if (watch === this.#watch) this.#syncLater(watch);
      });
    }, ms);
    this.#again.unref();
  }

  async #sync(watch: number): Promise<void> {
    const { bucket, meta } = this.#options;
    this.#stopWatch?.();
    this.#stopWatch = undefined;
    const kvm = new Kvm(jetstream(this.#connection, { timeout: answerMs }));
    const kv = await kvm.create(bucket, {
      history: 1,
      storage: StorageType.File,
      max_bytes: maxBucketBytes,
      maxValueSize: maxValueBytes,
      allow_direct: false, // A copy may lag behind, and what is read here is compared with.
    });
    if (!(await kv.get(metaKey))) await kv.create(metaKey, await meta()).catch(() => {}); // Another node was faster.
    const highest = (await kv.status()).streamInfo.state.last_seq;
    const changes = await kv.watch();
    if (watch !== this.#watch) return changes.stop();
    this.#stopWatch = () => changes.stop();
    await new Promise<void>((resolve, reject) => {
      this.#follow(changes, { watch, highest }, () => {
        this.#kv = kv;
        resolve();
      }).then(() => reject(new Error('the watch ended')), reject);
    });
  }

  async #follow(
    changes: AsyncIterable<KvWatchEntry>,
    { watch, highest }: { watch: number; highest: number },
    onReady: () => void,
  ): Promise<void> {
    const first = new Map<string, { text: string; revision: number }>();
    let isFirst = true;
    for await (const entry of changes) {
      if (watch !== this.#watch) return;
      this.#seen = entry.revision;
      const text = entry.operation === 'PUT' && entry.length <= maxValueBytes ? entry.string() : undefined;
      if (!isFirst) {
        this.#options.onChange(entry.key, { text, revision: entry.revision });
        continue;
      }
      if (text === undefined) first.delete(entry.key);
      else first.set(entry.key, { text, revision: entry.revision });
      if ((entry.delta ?? 0) > 0) continue;
      isFirst = false;
      this.#isOnline = true;
      onReady(); // Before the copy is told: who hears of it may write.
      this.#options.onSnapshot(first, highest);
    }
    if (watch === this.#watch && this.#isOnline) this.#lose('the watch ended');
  }

  #expectEcho(revision: number): void {
    if (this.#echo || revision === 0) return;
    const watch = this.#watch;
    this.#echo = setTimeout(() => {
      this.#echo = undefined;
      if (watch === this.#watch && this.#seen < revision) this.#lose('its changes do not arrive any more');
    }, echoMs);
    this.#echo.unref();
  }
}

function authenticatorOf(credentials: string): Authenticator {
  const text = credentials.trim();
  const bytes = (): Uint8Array => new TextEncoder().encode(text);
  if (text.includes('BEGIN NATS USER JWT')) return credsAuthenticator(bytes());
  if (/^SU[A-Z2-7]{56}$/.test(text)) return nkeyAuthenticator(bytes());
  const colon = text.indexOf(':');
  if (colon < 0) return tokenAuthenticator(text);
  return usernamePasswordAuthenticator(text.slice(0, colon), text.slice(colon + 1));
}

const unreachable = (why: string): { kind: 'unreachable'; why: string } => ({ kind: 'unreachable', why });

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
