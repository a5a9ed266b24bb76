// To which autonomous system an address belongs, from a MMDB file that the operator provides (GeoLite2-ASN and others
// have the field `autonomous_system_number`). Read anew when the file changes; a new one that cannot be read changes nothing.
import { unwatchFile, watchFile, type Stats } from 'node:fs';
import type { AsnResponse, Reader } from 'maxmind';
import { systemCode, TunnelError } from '../core/errors.ts';

/** How often the file is looked at. */
export const asnCheckMs = 5000;

/** Answers kept, so that a busy address is looked up once. */
const cachedAddresses = 10_000;

export interface Asns {
  /** `undefined` for an address that the file does not know. */
  asnOf(address: string): number | undefined;
}

export type AsnBookOptions = { path: string; onProblem: (sentence: string) => void; checkMs?: number };

export class AsnBook implements Asns {
  readonly #options: AsnBookOptions;
  readonly #listener = (now: Stats, before: Stats): void => {
    if (now.mtimeMs !== before.mtimeMs || now.size !== before.size || now.ino !== before.ino) void this.#reread();
  };
  #reader: Reader<AsnResponse>;

  /** Throws `CONFIG_INVALID` naming the file. */
  static async open(options: AsnBookOptions): Promise<AsnBook> {
    return new AsnBook(options, await read(options.path));
  }

  private constructor(options: AsnBookOptions, reader: Reader<AsnResponse>) {
    this.#options = options;
    this.#reader = reader;
    watchFile(options.path, { interval: options.checkMs ?? asnCheckMs, persistent: false }, this.#listener);
  }

  asnOf(address: string): number | undefined {
    try {
      return this.#reader.get(address)?.autonomous_system_number;
    } catch {
      return undefined; // A file that is broken at this place does not know the address.
    }
  }

  async close(): Promise<void> {
    unwatchFile(this.#options.path, this.#listener);
  }

  async #reread(): Promise<void> {
    try {
      this.#reader = await read(this.#options.path);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#options.onProblem(`${why}; what was read before stays in use`);
    }
  }
}

async function read(path: string): Promise<Reader<AsnResponse>> {
  const { open } = await import('maxmind');
  try {
    const reader = await open<AsnResponse>(path, { cache: { max: cachedAddresses } });
    reader.get('192.0.2.1'); // A file that was cut short shows it at the first look.
    return reader;
  } catch (cause) {
    const why = systemCode(cause) ?? 'it is no MMDB file';
    const message = `${path} cannot be read (${why}): name a MMDB file with autonomous systems`;
    throw new TunnelError('CONFIG_INVALID', message, { cause, data: { file: path } });
  }
}
