import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PreviewCache, previewCacheLimits, type CachedOffer } from '../../../src/helper/previewCache.ts';
import type { Offer } from '../../../src/mcp/preview/offer.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';
import { tool } from '../mcp/preview/definitions.ts';

const offering = (...names: string[]): Offer => ({
  era: 'legacy',
  revision: '2025-11-25',
  tools: { kind: 'listed', items: names.map((name) => tool({ name })) },
  prompts: { kind: 'absent' },
  resources: { kind: 'failed', reason: 'no' },
  templates: { kind: 'listed', items: [], cut: 'pages' },
});
const taken = (id: string, takenMs: number, offer = offering('a')): CachedOffer => ({
  id,
  name: `server ${id}`,
  hash: 'h',
  takenMs,
  offer,
});

function world(files = new MemoryFiles()): {
  files: MemoryFiles;
  cache: PreviewCache;
  put: (entry: CachedOffer) => Promise<CachedOffer>;
} {
  const cache = new PreviewCache(files, '/previews.json');
  const put = async (entry: CachedOffer): Promise<CachedOffer> => {
    const { cached, written } = await cache.put(entry);
    await written;
    return cached;
  };
  return { files, cache, put };
}

it('is there again for the next helper, letter for letter', async () => {
  const { files, put } = world();
  await put(taken('s1', 1));
  const next = world(files).cache;
  expect(await next.find('s1')).toEqual(taken('s1', 1));
  expect(await next.others('s2')).toEqual([{ name: 'server s1', tools: [tool({ name: 'a' })] }]);
  expect(await next.others('s1')).toEqual([]);
});

it('forgets the servers asked longest ago', async () => {
  const { files, cache, put } = world();
  for (let nth = 0; nth <= previewCacheLimits.maxServers; nth += 1) await put(taken(`s${nth}`, nth));
  expect(await cache.find('s0')).toBeUndefined();
  expect(await cache.find('s1')).toBeDefined();
  const next = world(files).cache;
  expect([await next.find('s0'), (await next.find('s50'))?.takenMs]).toEqual([undefined, 50]);
});

it('keeps what is large in memory alone, and bounds what it keeps there', async () => {
  const { files, cache, put } = world();
  const large = (): Offer => ({
    ...offering(),
    tools: { kind: 'listed', items: [tool({ description: 'x'.repeat(3 * 1024 * 1024) })] },
  });
  for (let nth = 0; nth < 12; nth += 1) await put(taken(`s${nth}`, nth, large()));
  expect(await cache.find('s11')).toBeDefined();
  expect(await cache.find('s0')).toBeUndefined();
  expect(await world(files).cache.find('s11')).toBeUndefined();
});

it('keeps the tools before the last change for a week, also where a list failed in between', async () => {
  const { put } = world();
  await put(taken('s1', 1, offering('a')));
  const changed = await put(taken('s1', 2, offering('b')));
  expect(changed.earlier).toEqual({ takenMs: 1, seenMs: 2, tools: [tool({ name: 'a' })] });
  const failed: Offer = { ...offering(), tools: { kind: 'failed', reason: 'no' } };
  expect((await put(taken('s1', 3, failed))).earlier).toEqual(changed.earlier);
  expect((await put(taken('s1', 4, offering('b')))).earlier).toEqual(changed.earlier);
  expect((await put(taken('s1', 2 + previewCacheLimits.driftMs, offering('b')))).earlier).toBeUndefined();
});

it('begins anew with whatever else stands in its file', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
      const files = new MemoryFiles();
      await files.write('/previews.json', text);
      const { cache, put } = world(files);
      expect(await cache.find('s1')).toBeUndefined();
      await put(taken('s1', 1));
      expect(await world(files).cache.find('s1')).toEqual(taken('s1', 1));
    }),
  );
});
