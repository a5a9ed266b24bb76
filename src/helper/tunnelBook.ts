// Which hostname, port and instance id belong to which server, so that a tunnel comes back as it was after a restart
// or a crash. One file for all helpers of this user; who holds an entry now is written in it, and a holder that is
// gone no longer holds anything.
import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import type { Clock, Random } from '../core/clock.ts';
import { labelProblem, makeLabel } from '../core/hostname.ts';
import type { Destination, WantedCertificate } from '../protocol/control.ts';

/** Entries kept; the one unused for longest makes room. */
export const maxEntries = 500;

const certificateSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('acme'),
    directory: z.url(),
    agreedToTerms: z.boolean().optional(),
    email: z.string().optional(),
    caFile: z.string().optional(),
  }),
  z.object({ kind: z.literal('own'), certificateFile: z.string(), keyFile: z.string() }),
]);

const entrySchema = z.object({
  key: z.string(),
  server: z.string(),
  label: z.string().refine((label) => labelProblem(label) === undefined),
  instance: z.string().min(1),
  port: z.int().min(1).max(65_535).optional(),
  /** Whose addresses may connect; absent lets anybody. */
  allowFrom: z.array(z.string()).optional(),
  holder: z.string().optional(),
  /** A person chose the label: it is taken again only when it is named again. */
  named: z.boolean().optional(),
  /** Which one was asked for when it was last exposed; the local CA's where absent. */
  certificate: certificateSchema.optional(),
  usedMs: z.number(),
});
const bookSchema = z.object({ version: z.literal(1), tunnels: z.array(entrySchema) });

export type BookEntry = Omit<z.infer<typeof entrySchema>, 'certificate'> & { certificate?: WantedCertificate };

export type TunnelBookOptions = {
  files: PrivateFiles;
  path: string;
  helperId: string;
  /** Whether another helper is running still. */
  isAlive: (helperId: string) => Promise<boolean>;
  clock: Clock;
  random: Random;
};

export class TunnelBook {
  readonly #options: TunnelBookOptions;

  constructor(options: TunnelBookOptions) {
    this.#options = options;
  }

  /**
   * The entry for this server and destination: the one of last time when nobody holds it and nobody chose its name,
   * else a new one with a hostname of its own. A wanted `name` that another live tunnel has is a `CONFLICT` that says so.
   */
  async take(server: { id: string; name: string }, destination: Destination, name?: string): Promise<BookEntry> {
    const problem = name === undefined ? undefined : labelProblem(name);
    if (problem) throw new TunnelError('USAGE', `“${name}” cannot be a hostname: ${problem}`);
    const key = keyOf(server.id, destination);
    let taken: BookEntry | undefined;
    await this.#change(async (entries) => {
      const place = destination.carrier === 'edge' ? destination.host : 'embedded';
      const wanted =
        name === undefined ? undefined : entries.find((entry) => entry.label === name && samePlace(entry, place));
      if (wanted && (await this.#isHeld(wanted))) {
        throw new TunnelError(
          'CONFLICT',
          `the name ${name} is in use by the tunnel of “${wanted.server}”; choose another one`,
        );
      }
      const known = wanted ?? (name === undefined ? await this.#firstFree(entries, key) : undefined);
      taken = {
        key: `${key}@${place}`,
        server: server.name,
        label: known?.label ?? name ?? this.#freshLabel(server.name, entries, place),
        instance: known?.instance ?? randomUUID(),
        ...(known?.port === undefined ? {} : { port: known.port }),
        ...(known?.allowFrom ? { allowFrom: known.allowFrom } : {}),
        ...(known?.certificate === undefined ? {} : { certificate: known.certificate }),
        ...((known ? known.named : name !== undefined) ? { named: true } : {}),
        holder: this.#options.helperId,
        usedMs: this.#options.clock.now(),
      };
      const others = entries.filter((entry) => entry !== known);
      return [taken, ...others].slice(0, maxEntries);
    });
    return taken!;
  }

  /** Keeps the port that the tunnel got. */
  async keepPort(instance: string, port: number): Promise<void> {
    await this.#change((entries) => entries.map((entry) => (entry.instance === instance ? { ...entry, port } : entry)));
  }

  /** Keeps what agents see; `undefined` is the local CA's certificate. */
  async keepCertificate(instance: string, wanted: WantedCertificate | undefined): Promise<void> {
    await this.#change((entries) =>
      entries.map((entry) => {
        const { certificate: _before, ...rest } = entry;
        if (entry.instance !== instance) return entry;
        return wanted === undefined ? rest : { ...rest, certificate: wanted };
      }),
    );
  }

  /** Keeps whose addresses may connect; none means anybody's. */
  async keepAllowFrom(instance: string, allowFrom: readonly string[]): Promise<void> {
    await this.#change((entries) =>
      entries.map((entry) => {
        if (entry.instance !== instance) return entry;
        const { allowFrom: _before, ...others } = entry;
        return allowFrom.length > 0 ? { ...others, allowFrom: [...allowFrom] } : others;
      }),
    );
  }

  /** The tunnel is closed; its name waits for it. */
  async release(instance: string): Promise<void> {
    await this.#change((entries) =>
      entries.map((entry) => {
        const { holder, ...free } = entry;
        return entry.instance === instance && holder === this.#options.helperId ? free : entry;
      }),
    );
  }

  async #firstFree(entries: BookEntry[], key: string): Promise<BookEntry | undefined> {
    for (const entry of entries) {
      if (entry.key.startsWith(`${key}@`) && !entry.named && !(await this.#isHeld(entry))) return entry;
    }
    return undefined;
  }

  async #isHeld(entry: BookEntry): Promise<boolean> {
    if (entry.holder === undefined) return false;
    return entry.holder === this.#options.helperId || this.#options.isAlive(entry.holder);
  }

  /** Not one that another server has: it would be taken from under it. */
  #freshLabel(serverName: string, entries: readonly BookEntry[], place: string): string {
    const taken = new Set(entries.filter((entry) => samePlace(entry, place)).map(({ label }) => label));
    for (let attempt = 0; ; attempt += 1) {
      // Chance alone finds a free one as a rule; a number does in any case.
      const stem = attempt < 10 ? serverName : `${serverName.slice(0, 30)}-${attempt}`;
      const label = makeLabel(stem, this.#options.random);
      if (!taken.has(label)) return label;
    }
  }

  async #change(change: (entries: BookEntry[]) => BookEntry[] | Promise<BookEntry[]>): Promise<void> {
    const { files, path } = this.#options;
    await files.update(path, async (old) => {
      const tunnels = await change(old === undefined ? [] : parse(old, path));
      return `${JSON.stringify({ version: 1, tunnels }, null, 2)}\n`;
    });
  }
}

function parse(text: string, path: string): BookEntry[] {
  try {
    return bookSchema.parse(JSON.parse(text)).tunnels as BookEntry[]; // JSON has no `undefined`.
  } catch (cause) {
    throw new TunnelError('CONFIG_INVALID', `${path} cannot be read; move it away to start with fresh hostnames`, {
      cause,
      data: { file: path },
    });
  }
}

function keyOf(serverId: string, destination: Destination): string {
  return createHash('sha256')
    .update(JSON.stringify([serverId, destination]))
    .digest('hex')
    .slice(0, 32);
}

function samePlace(entry: BookEntry, place: string): boolean {
  return entry.key.endsWith(`@${place}`);
}
