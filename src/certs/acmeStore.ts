// What is kept of one certificate authority in the state folder: the account, and for each name the certificate with its
// key and how the last attempts went, so that a restart orders nothing again and forgets no wait. Shared by all processes
// of this user.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import type { Clock } from '../core/clock.ts';
import { makeKeyPair } from './keyPair.ts';

/** Names kept; the one that was changed longest ago makes room. */
export const maxAcmeNames = 200;
/** Certificates remembered for the count of a week. */
const maxIssued = 20;

const accountSchema = z.object({
  version: z.literal(1),
  directory: z.string(),
  keyPem: z.string(),
  /** Known once it is registered. */
  url: z.string().optional(),
});
const entrySchema = z.object({
  hostname: z.string(),
  changedMs: z.number(),
  certificate: z.object({ keyPem: z.string(), chainPem: z.string() }).optional(),
  /** Failures in a row. */
  failures: z.int().min(0),
  /** The authority is not asked before. */
  notBeforeMs: z.number(),
  problem: z.string().optional(),
  issued: z.array(z.object({ atMs: z.number(), lifetimeMs: z.number() })),
});
const namesSchema = z.object({ version: z.literal(1), names: z.array(entrySchema) });

export type AcmeAccount = z.infer<typeof accountSchema>;
export type AcmeEntry = z.infer<typeof entrySchema>;

export type AcmeStoreOptions = { files: PrivateFiles; folder: string; directory: string; clock: Clock };

export class AcmeStore {
  readonly #options: AcmeStoreOptions;
  readonly #folder: string;

  constructor(options: AcmeStoreOptions) {
    const { folder, directory } = options;
    this.#options = options;
    const digest = createHash('sha256').update(directory).digest('hex').slice(0, 12);
    this.#folder = join(folder, `${new URL(directory).hostname.replace(/[^a-z0-9.-]/g, '_')}-${digest}`);
  }

  /** What a process that orders holds a lock on. */
  lockPath(hostname: string): string {
    return join(this.#folder, `${hostname}.order`);
  }

  /** Its key is made by whoever asks first. */
  async account(): Promise<AcmeAccount> {
    const { files, directory } = this.#options;
    const path = this.#accountPath;
    const text =
      (await files.read(path)) ??
      (await files.update(path, async (old) => {
        if (old !== undefined) return old;
        return asText({ version: 1, directory, keyPem: (await makeKeyPair()).privateKeyPem });
      }));
    return parse(accountSchema, text, path);
  }

  /** Registered, or `undefined`: the authority does not know it any more. */
  async keepAccountUrl(url: string | undefined): Promise<void> {
    const path = this.#accountPath;
    await this.#options.files.update(path, (old = '') => {
      const { url: _before, ...account } = parse(accountSchema, old, path);
      return asText({ ...account, ...(url === undefined ? {} : { url }) });
    });
  }

  async entry(hostname: string): Promise<AcmeEntry> {
    const text = await this.#options.files.read(this.#namesPath);
    return this.#find(text, hostname);
  }

  async change(hostname: string, change: (entry: AcmeEntry) => AcmeEntry): Promise<void> {
    await this.#options.files.update(this.#namesPath, (old) => {
      const changed = change(this.#find(old, hostname));
      const entry = { ...changed, changedMs: this.#options.clock.now(), issued: changed.issued.slice(-maxIssued) };
      const others = this.#names(old).filter((other) => other.hostname !== hostname);
      const names = [entry, ...others].toSorted((left, right) => right.changedMs - left.changedMs);
      return asText({ version: 1, names: names.slice(0, maxAcmeNames) });
    });
  }

  #find(text: string | undefined, hostname: string): AcmeEntry {
    const known = this.#names(text).find((entry) => entry.hostname === hostname);
    return known ?? { hostname, changedMs: 0, failures: 0, notBeforeMs: 0, issued: [] };
  }

  #names(text: string | undefined): AcmeEntry[] {
    return text === undefined ? [] : parse(namesSchema, text, this.#namesPath).names;
  }

  get #accountPath(): string {
    return join(this.#folder, 'account.json');
  }

  get #namesPath(): string {
    return join(this.#folder, 'certificates.json');
  }
}

const asText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

function parse<T>(schema: z.ZodType<T>, text: string, path: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new TunnelError('CONFIG_INVALID', `${path} cannot be read; move it away to begin anew at this authority`, {
      cause,
      data: { file: path },
    });
  }
}
