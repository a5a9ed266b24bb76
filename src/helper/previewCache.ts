// What servers offered when they were asked the last time, each beside the hash of the definition it was asked by, and
// the tools it had before those. A file of its own, so that a new window need not start every server again; what it
// lacks or cannot say is asked for once more.
import { z } from 'zod';
import type { PrivateFiles } from '../core/files.ts';
import type { JsonObject } from '../core/json.ts';
import { toolDrift } from '../mcp/preview/drift.ts';
import { itemsOf, type Listed, type Listing, type Offer } from '../mcp/preview/offer.ts';
import type { OtherServer } from '../mcp/preview/poisoning.ts';

export const previewCacheLimits = {
  /** Servers; the one asked longest ago is forgotten. */
  maxServers: 50,
  /** Of one server as JSON; a larger one is kept in memory alone. */
  maxBytesEach: 1024 * 1024,
  /** Of all in memory as JSON; the one asked longest ago is forgotten. */
  maxHeldBytes: 32 * 1024 * 1024,
  /** Of the file; the ones asked longest ago are left out. */
  maxFileBytes: 8 * 1024 * 1024,
  /** How long a change of the tools is told after it was seen first. */
  driftMs: 7 * 24 * 60 * 60 * 1_000,
};

export type CachedOffer = {
  /** Of the server, as discovery names it. */
  id: string;
  name: string;
  /** Of the definition. */
  hash: string;
  takenMs: number;
  offer: Offer;
  /** Tools that it had before, where they were others; `seenMs` is when the change was seen. */
  earlier?: { takenMs: number; seenMs: number; tools: Listed[] };
};

const definition = z.record(z.string(), z.unknown()).transform((value) => value as JsonObject);
const listedSchema = z.object({ name: z.string(), definition, tooDeep: z.literal(true).exactOptional() });
const listing: z.ZodType<Listing> = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('listed'),
    items: z.array(listedSchema),
    cut: z.enum(['pages', 'items', 'same-cursor']).exactOptional(),
  }),
  z.object({ kind: z.literal('absent') }),
  z.object({ kind: z.literal('failed'), reason: z.string() }),
]);
const cachedSchema: z.ZodType<CachedOffer> = z.object({
  id: z.string(),
  name: z.string(),
  hash: z.string(),
  takenMs: z.number(),
  offer: z.object({
    era: z.enum(['legacy', 'modern']),
    revision: z.string(),
    server: z.object({ name: z.string(), version: z.string() }).exactOptional(),
    instructions: z.string().exactOptional(),
    tools: listing,
    prompts: listing,
    resources: listing,
    templates: listing,
  }),
  earlier: z.object({ takenMs: z.number(), seenMs: z.number(), tools: z.array(listedSchema) }).exactOptional(),
});
const fileSchema = z.object({ version: z.literal(1), servers: z.array(cachedSchema) });

/** `bytes` of its JSON. */
type Held = { cached: CachedOffer; bytes: number };

export class PreviewCache {
  readonly #files: PrivateFiles;
  readonly #path: string;
  readonly #servers = new Map<string, Held>();
  #loading: Promise<void> | undefined;

  constructor(files: PrivateFiles, path: string) {
    this.#files = files;
    this.#path = path;
  }

  async find(id: string): Promise<CachedOffer | undefined> {
    await this.#load();
    return this.#servers.get(id)?.cached;
  }

  /** The others, for what may be taken for something of theirs. */
  async others(id: string): Promise<OtherServer[]> {
    await this.#load();
    const others = [...this.#servers.values()].filter(({ cached }) => cached.id !== id);
    return others.map(({ cached: { name, offer } }) => ({ name, tools: itemsOf(offer.tools) }));
  }

  /** Returns it with the tools that it had before. Rejects where it cannot be written; it is remembered all the same. */
  async put(taken: Omit<CachedOffer, 'earlier'>): Promise<{ cached: CachedOffer; written: Promise<void> }> {
    await this.#load();
    const earlier = earlierOf(this.#servers.get(taken.id)?.cached, taken);
    const cached: CachedOffer = { ...taken, ...(earlier ? { earlier } : {}) };
    const bytes = this.#hold(cached);
    return { cached, written: this.#write(cached, bytes) };
  }

  /** The newest stays, whatever its size, so that it is not asked for again at once. */
  #hold(cached: CachedOffer): number {
    const { maxServers, maxHeldBytes } = previewCacheLimits;
    const bytes = Buffer.byteLength(JSON.stringify(cached));
    this.#servers.delete(cached.id);
    const oldestFirst = [...this.#servers.values()].sort((left, right) => left.cached.takenMs - right.cached.takenMs);
    let held = oldestFirst.reduce((sum, other) => sum + other.bytes, bytes);
    for (const other of oldestFirst) {
      if (this.#servers.size < maxServers && held <= maxHeldBytes) break;
      this.#servers.delete(other.cached.id);
      held -= other.bytes;
    }
    this.#servers.set(cached.id, { cached, bytes });
    return bytes;
  }

  /** Another helper's entries stay, but for those that are full. */
  async #write(cached: CachedOffer, size: number): Promise<void> {
    const { maxServers, maxBytesEach, maxFileBytes } = previewCacheLimits;
    if (size > maxBytesEach) return;
    await this.#files.update(this.#path, (old) => {
      const all = [cached, ...parse(old).filter(({ id }) => id !== cached.id)].slice(0, maxServers);
      let bytes = 0;
      const kept = all.filter((server) => (bytes += Buffer.byteLength(JSON.stringify(server))) <= maxFileBytes);
      return `${JSON.stringify({ version: 1, servers: kept })}\n`;
    });
  }

  #load(): Promise<void> {
    this.#loading ??= this.#read();
    return this.#loading;
  }

  async #read(): Promise<void> {
    const text = await this.#files.read(this.#path).catch(() => undefined); // As if nobody had looked yet.
    for (const server of parse(text).toReversed()) this.#hold(server);
  }
}

/** The tools to compare with: those before the last change, as long as it is told. */
function earlierOf(before: CachedOffer | undefined, now: Omit<CachedOffer, 'earlier'>): CachedOffer['earlier'] {
  if (!before || before.offer.tools.kind !== 'listed' || now.offer.tools.kind !== 'listed') return before?.earlier;
  const old = itemsOf(before.offer.tools);
  if (toolDrift(old, itemsOf(now.offer.tools))) return { takenMs: before.takenMs, seenMs: now.takenMs, tools: old };
  const isTold = before.earlier !== undefined && now.takenMs - before.earlier.seenMs < previewCacheLimits.driftMs;
  return isTold ? before.earlier : undefined;
}

function parse(text: string | undefined): CachedOffer[] {
  if (text === undefined || text.length > 2 * previewCacheLimits.maxFileBytes) return [];
  try {
    return fileSchema.parse(JSON.parse(text)).servers;
  } catch {
    return []; // Of another version, or damaged: it is only a cache.
  }
}
