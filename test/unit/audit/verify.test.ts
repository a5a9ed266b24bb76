import { mkdir, readFile, writeFile } from 'node:fs/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AuditLog, firstSegment } from '../../../src/audit/auditLog.ts';
import { genesis, lineHash } from '../../../src/audit/record.ts';
import { maxLineBytes, verifyFolder, type Verdict } from '../../../src/audit/verify.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

const records = 12;

async function written(): Promise<{ folder: string; lines: string[] }> {
  const folder = await temporaryFolder();
  const log = await AuditLog.open({ folder, clock: new FakeClock() });
  for (let index = 1; index <= records; index += 1) {
    await log.append({ kind: 'outcome', exchange: `exchange-${index}`, status: 'ok', latencyMs: index });
  }
  await log.close();
  const text = await readFile(`${folder}/${firstSegment}`, 'utf8');
  return { folder, lines: text.split('\n').slice(0, -1) };
}

async function verdictOf(lines: string[], folder: string): Promise<Verdict> {
  await writeFile(`${folder}/${firstSegment}`, lines.map((line) => `${line}\n`).join(''));
  return verifyFolder(folder);
}

/** A record that fits into the chain after `before`. */
function forged(before: string | undefined, seq: number): string {
  const prev = before === undefined ? genesis : lineHash(before);
  return JSON.stringify({
    seq,
    at: '2026-01-15T00:00:00.000Z',
    prev,
    kind: 'outcome',
    exchange: 'forged',
    status: 'ok',
  });
}

describe('verifyFolder', () => {
  it('tells the head of an intact chain, and what it cannot see', async () => {
    const { folder, lines } = await written();
    expect(await verifyFolder(folder)).toEqual({
      kind: 'intact',
      records,
      head: { seq: records, hash: lineHash(lines.at(-1)!) },
      note: expect.stringContaining('cannot be seen without a head') as string,
    });
  });

  it('an empty log is intact', async () => {
    const folder = await temporaryFolder();
    await writeFile(`${folder}/${firstSegment}`, '');
    expect(await verifyFolder(folder)).toMatchObject({ kind: 'intact', records: 0, head: undefined });
  });

  it('names a line that was changed, wherever in it', async () => {
    const { folder, lines } = await written();
    const changes: [RegExp, string][] = [
      [/"ok"/, '"no"'],
      [/"at":"2/, '"at":"3'],
      [/"kind":/, '"kynd":'],
      [/"seq":\d/, '"seq":7'],
      [/"prev":"./, '"prev":"f'],
      [/^\{/, '{ '],
      [/\}$/, ''],
    ];
    for (const [pattern, replacement] of changes) {
      const edited = lines.with(4, lines[4]!.replace(pattern, replacement));
      expect(edited[4]).not.toBe(lines[4]);
      expect(await verdictOf(edited, folder)).toMatchObject({ kind: 'broken', what: 'changed', line: 5 });
    }
  });

  it('names the first line when it was changed, or does not begin the chain', async () => {
    const { folder, lines } = await written();
    expect(await verdictOf(lines.with(0, lines[0]!.replace('ok', 'no')), folder)).toMatchObject({
      what: 'changed',
      line: 1,
    });
    expect(await verdictOf(lines.slice(1), folder)).toMatchObject({ what: 'removed', line: 1 });
  });

  it('names the place where lines were removed, and which', async () => {
    const { folder, lines } = await written();
    expect(await verdictOf(lines.toSpliced(4, 1), folder)).toMatchObject({
      what: 'removed',
      line: 5,
      message: 'record 5 is missing before line 5',
    });
    expect(await verdictOf(lines.toSpliced(4, 3), folder)).toMatchObject({
      what: 'removed',
      line: 5,
      message: 'records 5 to 7 are missing before line 5',
    });
  });

  it('names a line that was inserted: forged, copied or nonsense', async () => {
    const { folder, lines } = await written();
    for (const stranger of [
      forged(lines[3], 5),
      forged(undefined, 5),
      forged(lines[3], 77),
      lines[1]!,
      lines[3]!,
      'nonsense',
      '',
    ]) {
      expect(await verdictOf(lines.toSpliced(4, 0, stranger), folder)).toMatchObject({ what: 'inserted', line: 5 });
    }
  });

  it('names the first of lines that stand in another order', async () => {
    const { folder, lines } = await written();
    const swapped = lines.with(4, lines[5]!).with(5, lines[4]!);
    expect(await verdictOf(swapped, folder)).toMatchObject({ what: 'reordered', line: 5 });
    const carried = lines.toSpliced(4, 1).toSpliced(8, 0, lines[4]!);
    expect(await verdictOf(carried, folder)).toMatchObject({ what: 'reordered', line: 5 });
  });

  it('sees a line rewritten with a prev that fits, by the line after it', async () => {
    const { folder, lines } = await written();
    expect(await verdictOf(lines.with(4, forged(lines[3], 5)), folder)).toMatchObject({ what: 'changed', line: 5 });
  });

  it('tells a torn end from tampering', async () => {
    const { folder } = await written();
    const text = await readFile(`${folder}/${firstSegment}`, 'utf8');
    await writeFile(`${folder}/${firstSegment}`, text.slice(0, -20));
    expect(await verifyFolder(folder)).toMatchObject({ kind: 'broken', what: 'torn', line: records });
  });

  it('cannot see a cut tail, and says so', async () => {
    const { folder, lines } = await written();
    const verdict = await verdictOf(lines.slice(0, 8), folder);
    expect(verdict).toMatchObject({
      kind: 'intact',
      records: 8,
      note: expect.stringContaining('cut from the end') as string,
    });
  });

  it('finds every one of 200 random tamperings, at the line or one beside it', async () => {
    const { folder, lines } = await written();
    // The last record is what only a head kept elsewhere protects.
    const place = fc.integer({ min: 0, max: records - 2 });
    const tampering = fc.oneof(
      fc.record({
        kind: fc.constant('flip' as const),
        at: place,
        byte: fc.nat(1_000),
        bit: fc.integer({ min: 0, max: 6 }),
      }),
      fc.record({ kind: fc.constant('remove' as const), at: place, count: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ kind: fc.constant('copy' as const), at: place, from: place }),
      fc.record({ kind: fc.constant('swap' as const), at: place, with: place }),
    );
    let found = 0;
    await fc.assert(
      fc.asyncProperty(tampering, async (tampering) => {
        const { at } = tampering;
        let edited = lines;
        let first = at;
        switch (tampering.kind) {
          case 'flip': {
            const bytes = Buffer.from(lines[at]!);
            const where = tampering.byte % bytes.length;
            bytes[where] = bytes[where]! ^ (1 << tampering.bit);
            edited = lines.with(at, bytes.toString('latin1'));
            break;
          }
          case 'remove':
            fc.pre(at + tampering.count < records);
            edited = lines.toSpliced(at, tampering.count);
            break;
          case 'copy':
            edited = lines.toSpliced(at, 0, lines[tampering.from]!);
            break;
          case 'swap':
            fc.pre(at !== tampering.with);
            edited = lines.with(at, lines[tampering.with]!).with(tampering.with, lines[at]!);
            first = Math.min(at, tampering.with);
            break;
        }
        const verdict = await verdictOf(edited, folder);
        if (verdict.kind !== 'broken') throw new Error(`not seen: ${JSON.stringify(tampering)}`);
        expect(Math.abs(verdict.line - (first + 1))).toBeLessThanOrEqual(1);
        found += 1;
      }),
      { numRuns: 200 },
    );
    expect(found).toBe(200);
  });

  it('never throws for what a file holds', async () => {
    const folder = await temporaryFolder();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        await writeFile(`${folder}/${firstSegment}`, bytes);
        expect((await verifyFolder(folder)).kind).toBe(bytes.length === 0 ? 'intact' : 'broken');
      }),
    );
  });

  it('reads no line that is too long for a record', async () => {
    const folder = await temporaryFolder();
    await writeFile(`${folder}/${firstSegment}`, 'x'.repeat(maxLineBytes * 4));
    expect(await verifyFolder(folder)).toMatchObject({ kind: 'broken', line: 1 });
  });

  it('says when there is no log', async () => {
    const folder = await temporaryFolder();
    await mkdir(`${folder}/empty`);
    await expect(verifyFolder(`${folder}/none`)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(verifyFolder(`${folder}/empty`)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
