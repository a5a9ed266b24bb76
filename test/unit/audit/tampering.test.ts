import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { forged, WrittenChain as World } from './writtenChain.ts';

describe('a chain that is tampered with', () => {
  it('is found out in each of 200 random ways, and verify names a line that is at most one away', async () => {
    const world = await World.written({ segmentBytes: 600 });
    const original = world.segments.map((lines) => Buffer.from(lines.map((line) => `${line}\n`).join('')));
    const all = world.lines.length;
    /** Number of the line, counted over all segments, that a verdict names. */
    const globalLine = (file: string, line: number): number => {
      const index = Number(/(\d{6})\.jsonl$/.exec(file)?.[1]) - 1;
      return world.segments.slice(0, index).reduce((sum, lines) => sum + lines.length, 0) + line;
    };
    const place = fc.nat(all - 1);
    const segment = fc.nat(world.segments.length - 1);
    const tampering = fc.oneof(
      fc.record({ kind: fc.constant('flip' as const), segment, byte: fc.nat(100_000), bit: fc.nat(7) }),
      fc.record({ kind: fc.constant('remove' as const), at: place, count: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ kind: fc.constant('copy' as const), at: place, from: place }),
      fc.record({ kind: fc.constant('swap' as const), at: place, with: place }),
      fc.record({ kind: fc.constant('forge' as const), at: place }),
      fc.record({ kind: fc.constant('cut' as const), segment, bytes: fc.integer({ min: 1, max: 2_000 }) }),
      fc.record({ kind: fc.constant('segments' as const), segment, with: segment }),
      fc.record({ kind: fc.constant('signature' as const), segment, with: segment }),
    );
    /** Where the lines of one flat list go, segment by segment. */
    const spread = (lines: readonly string[], perSegment: readonly number[]): string[][] => {
      const rest = [...lines];
      const counts = perSegment.slice(0, -1);
      return [...counts.map((count) => rest.splice(0, count)), rest];
    };
    const counts = world.segments.map((lines) => lines.length);
    const countsWith = (at: number, by: number): number[] => {
      let passed = 0;
      const home = counts.findIndex((count) => (passed += count) > at);
      return counts.map((count, index) => (index === home ? count + by : count));
    };

    let found = 0;
    await fc.assert(
      fc.asyncProperty(tampering, async (tampering) => {
        /** First line that differs, from 1; undefined where only a range is known. */
        let first: number | undefined;
        const { lines } = world;
        switch (tampering.kind) {
          case 'flip': {
            const files = original.map((bytes) => Buffer.from(bytes));
            const bytes = files[tampering.segment]!;
            const at = tampering.byte % bytes.length;
            first = globalLine(
              world.file(tampering.segment + 1),
              bytes.subarray(0, at).filter((byte) => byte === 10).length + 1,
            );
            bytes[at] = bytes[at]! ^ (1 << tampering.bit);
            await world.writeBytes(files);
            break;
          }
          case 'remove': {
            const { at } = tampering;
            const count = Math.min(tampering.count, all - at);
            const gone = lines.toSpliced(at, count);
            await world.write(spread(gone, countsWith(at, -1)));
            first = at + 1;
            break;
          }
          case 'copy':
            await world.write(
              spread(lines.toSpliced(tampering.at, 0, lines[tampering.from]!), countsWith(tampering.at, 1)),
            );
            first = tampering.at + 1;
            break;
          case 'swap': {
            const { at, with: other } = tampering;
            fc.pre(at !== other);
            await world.write(spread(lines.with(at, lines[other]!).with(other, lines[at]!), counts));
            first = Math.min(at, other) + 1;
            break;
          }
          case 'forge':
            await world.write(
              spread(
                lines.toSpliced(tampering.at, 0, forged(lines[tampering.at - 1], tampering.at + 1)),
                countsWith(tampering.at, 1),
              ),
            );
            first = tampering.at + 1;
            break;
          case 'cut': {
            const files = original.map((bytes) => Buffer.from(bytes));
            const left = files[tampering.segment]!.subarray(0, -tampering.bytes);
            await world.writeBytes(files.with(tampering.segment, left));
            break;
          }
          case 'segments':
            fc.pre(tampering.segment !== tampering.with);
            await world.write(
              world.segments
                .with(tampering.segment, world.segments[tampering.with]!)
                .with(tampering.with, world.segments[tampering.segment]!),
            );
            first = globalLine(world.file(Math.min(tampering.segment, tampering.with) + 1), 1);
            break;
          case 'signature': {
            fc.pre(tampering.segment !== tampering.with);
            const signatureOf = (index: number): string =>
              /"signature":"(\w+)"/.exec(world.segments[index]!.at(-1)!)![1]!;
            const target = world.segments[tampering.segment]!;
            const seal = target.at(-1)!.replace(signatureOf(tampering.segment), signatureOf(tampering.with));
            await world.write(world.segments.with(tampering.segment, target.with(target.length - 1, seal)));
            first = globalLine(world.file(tampering.segment + 1), target.length);
            break;
          }
        }
        const verdict = await world.verify([world.head]);
        if (verdict.kind !== 'broken') throw new Error(`not seen: ${JSON.stringify(tampering)}`);
        const named = globalLine(verdict.file, verdict.line);
        if (first !== undefined && Math.abs(named - first) > 1) {
          throw new Error(`line ${named} was named, not ${first}: ${JSON.stringify(tampering)} ${verdict.message}`);
        }
        found += 1;
      }),
      { numRuns: 200 },
    );
    expect(found).toBe(200);
  });
});
