import { readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { maxLineBytes } from '../../../src/audit/chainLines.ts';
import { genesis, lineHash } from '../../../src/audit/link.ts';
import { formatSigned } from '../../../src/audit/signedRecord.ts';
import { verifyChain } from '../../../src/audit/verify.ts';
import { aSigner, aWritingMachine, openLog, outcome } from '../../support/audit.ts';
import { chain, events, forged, recounted, WrittenChain as World } from './writtenChain.ts';

describe('verifyChain', () => {
  it('tells of an intact chain how much there is, where it ends, and what is signed', async () => {
    const world = await World.written();
    expect(await world.verify()).toEqual({
      kind: 'intact',
      chain,
      records: events + 2,
      firstSeq: 1,
      head: { seq: events + 2, hash: lineHash(world.lines.at(-1)!) },
      signedSeq: events + 2,
      closed: true,
      tornBytes: 0,
      repaired: [],
      recovered: [],
      uncheckable: [],
      others: [],
    });
  });

  it('tells what no signature covers yet when its helper was killed, or is still writing', async () => {
    const world = await World.written({ killed: true });
    expect(await world.verify()).toMatchObject({ kind: 'intact', records: events + 1, signedSeq: 1, closed: false });
  });

  it('an empty segment is an intact chain without a record', async () => {
    const world = await World.written();
    expect(await world.verdictOf([])).toMatchObject({ kind: 'intact', records: 0, head: undefined });
  });

  it('names a line that was changed, wherever in it', async () => {
    const world = await World.written();
    const changes: [RegExp, string][] = [
      [/"ok"/, '"no"'],
      [/"at":"2/, '"at":"3'],
      [/"kind":/, '"kynd":'],
      [/"outcome"/, '"outcame"'],
      [/"seq":\d/, '"seq":7'],
      [/"prev":"./, '"prev":"g'],
      [/^\{/, '{ '],
      [/\}$/, ''],
    ];
    for (const [pattern, replacement] of changes) {
      const edited = world.lines.with(4, world.lines[4]!.replace(pattern, replacement));
      expect(edited[4]).not.toBe(world.lines[4]);
      expect(await world.verdictOf(edited)).toMatchObject({ kind: 'broken', what: 'changed', line: 5 });
    }
  });

  it('names the first line when it was changed, or is not the one that begins a chain', async () => {
    const world = await World.written();
    const { lines } = world;
    expect(await world.verdictOf(lines.with(0, lines[0]!.replace('helper-of', 'helper-by')))).toMatchObject({
      what: 'signature',
      line: 1,
    });
    expect(await world.verdictOf(lines.slice(1))).toMatchObject({ what: 'removed', line: 1 });
    expect(await world.verdictOf([forged(undefined, 1)])).toMatchObject({ what: 'changed', line: 1 });
  });

  it('names the place where lines were removed, and which', async () => {
    const world = await World.written();
    expect(await world.verdictOf(world.lines.toSpliced(4, 1))).toMatchObject({
      what: 'removed',
      line: 5,
      message: 'record 5 is missing before line 5',
    });
    expect(await world.verdictOf(world.lines.toSpliced(4, 3))).toMatchObject({
      what: 'removed',
      line: 5,
      message: 'records 5 to 7 are missing before line 5',
    });
  });

  it('names a line that was inserted: forged, copied or nonsense', async () => {
    const world = await World.written();
    const { lines } = world;
    const strangers = [
      forged(lines[3], 5),
      forged(undefined, 5),
      forged(lines[3], 77),
      lines[1]!,
      lines[3]!,
      'nonsense',
      '',
    ];
    for (const stranger of strangers) {
      expect(await world.verdictOf(lines.toSpliced(4, 0, stranger))).toMatchObject({ what: 'inserted', line: 5 });
    }
  });

  it('names the first of lines that stand in another order', async () => {
    const world = await World.written();
    const { lines } = world;
    const swapped = lines.with(4, lines[5]!).with(5, lines[4]!);
    expect(await world.verdictOf(swapped)).toMatchObject({ what: 'reordered', line: 5 });
    const carried = lines.toSpliced(4, 1).toSpliced(8, 0, lines[4]!);
    expect(await world.verdictOf(carried)).toMatchObject({ what: 'reordered', line: 5 });
  });

  it('sees a line rewritten with a prev that fits, by the line after it', async () => {
    const world = await World.written();
    const { lines } = world;
    expect(await world.verdictOf(lines.with(4, forged(lines[3], 5)))).toMatchObject({ what: 'changed', line: 5 });
  });

  describe('signatures', () => {
    it('are missed by whoever writes the chain anew without the key', async () => {
      const world = await World.written();
      const edited = world.lines.with(4, world.lines[4]!.replace('exchange-', 'exchange='));
      expect(await world.verdictOf(recounted(edited, 5))).toMatchObject({ what: 'signature', line: events + 2 });
    });

    it('of another key are not taken, whatever they sign', async () => {
      const world = await World.written();
      const other = await World.written();
      await world.write(other.segments);
      expect(await world.verify()).toMatchObject({
        what: 'signature',
        line: 1,
        message: expect.stringContaining('another key') as string,
      });
      expect(await world.verify([], other.machine.signer.publicKey)).toMatchObject({ kind: 'intact' });
      expect(await world.verify([], undefined)).toMatchObject({ what: 'signature', line: 1 });
    });

    it('may claim any key and are measured with the trusted one', async () => {
      const world = await World.written();
      const { lines } = world;
      const stranger = { ...aSigner(), publicKey: world.machine.signer.publicKey };
      const link = { seq: events + 2, prev: lineHash(lines.at(-2)!) };
      const seal = formatSigned(link, 0, { kind: 'sealed', chain, why: 'closed' }, stranger);
      expect(await world.verdictOf(lines.with(lines.length - 1, seal))).toMatchObject({
        what: 'signature',
        line: events + 2,
      });
    });

    it('are needed to say that older records were pruned', async () => {
      const world = await World.written({ segmentBytes: 500, killed: true });
      const [first, ...others] = world.segments;
      const last = others.at(-1)!.at(-1)!;
      const link = { seq: world.lines.length + 1, prev: lineHash(last) };
      const through = { seq: first!.length, hash: lineHash(first!.at(-1)!) };
      const { publicKey } = world.machine.signer;
      for (const signer of [aSigner(), { ...aSigner(), publicKey }]) {
        const pruned = formatSigned(link, 0, { kind: 'pruned', chain, through, why: 'age' }, signer);
        await world.write([...others.slice(0, -1), [...others.at(-1)!, pruned]]);
        expect(await world.verify()).toMatchObject({ what: 'removed', file: world.file(1), line: 1 });
      }
      const pruned = formatSigned(link, 0, { kind: 'pruned', chain, through, why: 'age' }, world.machine.signer);
      await world.write([...others.slice(0, -1), [...others.at(-1)!, pruned]]);
      expect(await world.verify()).toMatchObject({ kind: 'intact', firstSeq: first!.length + 1 });
    });

    it('cannot be carried to another chain of the same machine', async () => {
      const world = await World.written();
      const log = await openLog(world.machine, 'h2');
      await log.append(outcome('other'));
      await log.close();
      await writeFile(world.file(1), await readFile(`${world.machine.home}/h2/000001.jsonl`));
      expect(await world.verify()).toMatchObject({ what: 'reordered', line: 1 });
    });

    it('stand at the end of each segment but the last', async () => {
      const world = await World.written({ segmentBytes: 500 });
      expect(world.segments.length).toBeGreaterThan(3);
      const [first, second, ...others] = world.segments;
      const bare = recounted([...first!, ...second!].toSpliced(first!.length - 1, 1), first!.length - 1);
      const at = first!.length - 1;
      const renumbered = bare.map((line, index) => line.replace(/"seq":\d+/, `"seq":${index + 1}`));
      const whole = recounted(renumbered, at);
      await world.write([whole.slice(0, at), whole.slice(at), ...others]);
      expect(await world.verify()).toMatchObject({ kind: 'broken', what: 'removed', file: world.file(2), line: 1 });
    });
  });

  describe('segments', () => {
    it('are one chain', async () => {
      const world = await World.written({ segmentBytes: 500 });
      expect(await world.verify()).toMatchObject({ kind: 'intact', closed: true, records: world.lines.length });
    });

    it('that are missing, swapped or there twice are named with their first line', async () => {
      const world = await World.written({ segmentBytes: 500 });
      const [first, second, third, ...others] = world.segments;
      await world.write([first!, third!, ...others]);
      expect(await world.verify()).toMatchObject({ what: 'removed', file: world.file(2), line: 1 });
      await world.write([first!, third!, second!, ...others]);
      expect(await world.verify()).toMatchObject({ what: 'reordered', file: world.file(2), line: 1 });
      await world.write([first!, second!, second!, third!, ...others]);
      expect(await world.verify()).toMatchObject({ what: 'inserted', file: world.file(3), line: 1 });
      await world.write([second!, third!, ...others]);
      expect(await world.verify()).toMatchObject({ what: 'removed', file: world.file(1), line: 1 });
    });
  });

  describe('the end', () => {
    it('that is torn is no tampering, and is told', async () => {
      const world = await World.written();
      const bytes = Buffer.from(world.lines.map((line) => `${line}\n`).join(''));
      await world.writeBytes([bytes.subarray(0, -20)]);
      const torn = Buffer.byteLength(world.lines.at(-1)!) + 1 - 20;
      expect(await world.verify()).toMatchObject({ kind: 'intact', records: events + 1, tornBytes: torn });
    });

    it('that was cut is not seen, except with a head that was kept elsewhere', async () => {
      const world = await World.written();
      const cut = world.lines.slice(0, 8);
      expect(await world.verdictOf(cut)).toMatchObject({ kind: 'intact', records: 8 });
      expect(await world.verdictOf(cut, [world.head])).toMatchObject({
        what: 'cut',
        line: 9,
        message: `records 9 to ${events + 2} are missing at the end: a head that was kept elsewhere knew ${events + 2} records`,
      });
      expect(await world.verdictOf([], [world.head])).toMatchObject({ what: 'cut', line: 1 });
    });

    it('that was written anew behind the last signature is seen with a head', async () => {
      const world = await World.written({ killed: true });
      const anew = recounted(world.lines.with(4, forged(world.lines[3], 5)), 5);
      expect(await world.verdictOf(anew)).toMatchObject({ kind: 'intact' });
      expect(await world.verdictOf(anew, [world.head])).toMatchObject({ what: 'changed', line: events + 1 });
    });

    it('may have gone on since the head was kept', async () => {
      const world = await World.written();
      const older = { seq: 5, hash: lineHash(world.lines[4]!) };
      expect(await world.verify([older, world.head])).toMatchObject({ kind: 'intact', uncheckable: [] });
      expect(await world.verify([{ seq: 5, hash: genesis }])).toMatchObject({ what: 'changed', line: 5 });
    });

    it('cannot be judged by a head of what was pruned', async () => {
      const machine = await aWritingMachine();
      const log = await openLog(machine, chain, { bounds: { maxSegmentBytes: 900, maxChainBytes: 2_000 } });
      await log.append(outcome('first'));
      const old = log.head!;
      for (let index = 0; index < 20; index += 1) await log.append(outcome(String(index)));
      await log.close();
      const options = { chain, folder: `${machine.home}/${chain}`, publicKey: machine.signer.publicKey };
      expect(await verifyChain({ ...options, heads: [old, log.head!] })).toMatchObject({
        kind: 'intact',
        uncheckable: [old],
      });
    });
  });

  it('never throws for what a file holds', async () => {
    const world = await World.written();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        await world.writeBytes([bytes, Buffer.from('\n')]);
        expect((await world.verify()).kind).toBe('broken');
      }),
    );
  });

  it('reads no line that is too long for a record', async () => {
    const world = await World.written();
    await world.writeBytes([Buffer.alloc(maxLineBytes * 4, 'x')]);
    expect(await world.verify()).toMatchObject({ kind: 'broken', line: 1 });
    await truncate(world.file(1), 2 ** 36); // Of holes: whoever reads it to its end does not come back.
    expect(await world.verify()).toMatchObject({ kind: 'broken', line: 1 });
  });

  it('says when there is no log', async () => {
    const world = await World.written();
    await rename(world.folder, `${world.folder}-elsewhere`);
    await expect(world.verify()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
