import { mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { openChainFile } from '../../../src/audit/chainFile.ts';
import { lineHash } from '../../../src/audit/link.ts';
import { openLog, outcome as event } from '../../support/audit.ts';
import { ChainWorld as World } from './chainWorld.ts';

const day = 24 * 60 * 60 * 1000;

describe('Chain', () => {
  describe('after a kill -9', () => {
    it('repairs a torn last line, and notes its length and digest in the chain', async () => {
      const world = await World.create();
      const killed = await world.open();
      await killed.append(event('a'));
      await killed.append(event('b'));
      const { size } = await stat(world.path);
      await truncate(world.path, size - 10);
      const whole = (await world.lines())[1]!;
      const torn = Buffer.from((await world.lines())[2]!);

      const log = await world.open();
      expect(await stat(world.path)).toMatchObject({ size: size - 10 }); // Nothing is touched before there is a record.
      await log.append(event('c'));
      await log.close();
      expect(await world.records()).toMatchObject([
        { seq: 1, kind: 'started' },
        { seq: 2, exchange: 'a' },
        { seq: 3, kind: 'repaired', prev: lineHash(whole), tornBytes: torn.length, tornSha256: lineHash(torn) },
        { seq: 4, kind: 'sealed', why: 'recovered' },
        { seq: 5, kind: 'started' },
        { seq: 6, exchange: 'c' },
        { seq: 7, kind: 'sealed', why: 'closed' },
      ]);
      expect(await world.verify()).toMatchObject({ kind: 'intact', repaired: [3], recovered: [4], closed: true });
    });

    it('seals what was left whole but unsealed', async () => {
      const world = await World.create();
      await (await world.open()).append(event('a'));
      await (await world.open()).append(event('b'));
      expect((await world.records()).map(({ kind, why }) => why ?? kind)).toEqual([
        'started',
        'outcome',
        'recovered',
        'started',
        'outcome',
      ]);
      expect(await world.verify()).toMatchObject({ kind: 'intact', repaired: [], recovered: [3] });
    });

    it.each([0, 1, 40, 100_000])('repairs a log that was torn %i bytes into its first line', async (bytes) => {
      const world = await World.create();
      await mkdir(world.folder, { recursive: true });
      await writeFile(world.path, '{"seq":1,'.padEnd(bytes, 'x').slice(0, bytes));
      await (await world.open()).append(event('a'));
      const kinds = (await world.records()).map(({ kind }) => kind);
      expect(kinds).toEqual(bytes === 0 ? ['started', 'outcome'] : ['repaired', 'sealed', 'started', 'outcome']);
      expect(await world.verify()).toMatchObject({ kind: 'intact' });
    });

    it('goes on behind a segment that was sealed when the next was still empty', async () => {
      const world = await World.create();
      const log = await world.open({ bounds: { maxSegmentBytes: 1 } });
      await log.append(event('a'));
      await log.close();
      const names = await world.segments();
      await writeFile(`${world.folder}/00000${names.length + 1}.jsonl`, '');
      await (await world.open()).append(event('b'));
      expect(await world.exchanges()).toEqual(['a', 'b']);
      expect(await world.verify()).toMatchObject({ kind: 'intact', recovered: [] });
    });
  });

  describe('segments', () => {
    it('seals one that is full and goes on with the next, in one chain', async () => {
      const world = await World.create();
      const log = await world.open({ bounds: { maxSegmentBytes: 1_000 } });
      for (let index = 0; index < 20; index += 1) await log.append(event(String(index)));
      await log.close();
      const names = await world.segments();
      expect(names.length).toBeGreaterThan(3);
      for (const name of names) {
        const text = await readFile(`${world.folder}/${name}`, 'utf8');
        expect(text.length).toBeLessThan(1_000 + 700); // One write more, and the seal.
        const last = text.trimEnd().split('\n').at(-1)!;
        expect(JSON.parse(last)).toMatchObject({ kind: 'sealed', why: name === names.at(-1) ? 'closed' : 'rotated' });
      }
      expect(await world.exchanges()).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
      expect(await world.verify()).toMatchObject({ kind: 'intact', closed: true });
    });

    it('seals one that is old, also when it was begun by another helper', async () => {
      const world = await World.create();
      const log = await world.open();
      await log.append(event('a'));
      world.clock.advance(day - 1);
      await log.append(event('b'));
      expect(await world.segments()).toHaveLength(1);
      world.clock.advance(1);
      await log.append(event('c'));
      await log.close();
      expect(await world.segments()).toHaveLength(2);
      world.clock.advance(day);
      await (await world.open()).append(event('d'));
      expect(await world.segments()).toHaveLength(3);
      expect(await world.verify()).toMatchObject({ kind: 'intact' });
    });

    it('refuses, and goes on later, when the next cannot be opened', async () => {
      const world = await World.create();
      let mayOpen = true;
      const openFile: typeof openChainFile = (folder, path) =>
        mayOpen ? openChainFile(folder, path) : Promise.reject(Object.assign(new Error('no'), { code: 'EMFILE' }));
      const log = await openLog(world, 'h1', { openFile, bounds: { maxSegmentBytes: 1 } });
      await log.append(event('a'));
      mayOpen = false;
      await expect(log.append(event('lost'))).rejects.toMatchObject({ code: 'EMFILE' });
      await expect(log.append(event('lost'))).rejects.toMatchObject({ code: 'EMFILE' });
      mayOpen = true;
      await log.append(event('b'));
      await log.close();
      expect(await world.exchanges()).toEqual(['a', 'b']);
      expect(await world.verify()).toMatchObject({ kind: 'intact' });
    });

    it('writes nothing behind what somebody else put in the place of the next', async () => {
      const world = await World.create();
      const log = await world.open({ bounds: { maxSegmentMs: day } });
      await log.append(event('a'));
      await writeFile(`${world.folder}/000002.jsonl`, '{}\n');
      world.clock.advance(day);
      await expect(log.append(event('b'))).rejects.toMatchObject({ code: 'STATE_UNWRITABLE' });
      expect(await readFile(`${world.folder}/000002.jsonl`, 'utf8')).toBe('{}\n');
    });
  });

  describe('old segments', () => {
    it('go with a signed record when they are older than they are kept, few at a time', async () => {
      const world = await World.create();
      const log = await world.open({ bounds: { keepMs: 10 * day } });
      for (let index = 0; index < 6; index += 1) {
        await log.append(event(String(index)));
        world.clock.advance(day);
      }
      world.clock.advance(100 * day); // Or a clock that jumps: all are too old now, and two go.
      await log.append(event('last'));
      await log.close();
      const names = await world.segments();
      expect(names[0]).toBe('000003.jsonl');
      const [pruned] = (await world.records()).filter(({ kind }) => kind === 'pruned');
      const first = (await world.records())[0]!;
      expect(pruned).toMatchObject({ why: 'age', through: { seq: first.seq - 1, hash: first.prev } });
      expect(await world.verify()).toMatchObject({ kind: 'intact', firstSeq: first.seq, closed: true });
    });

    it('go when all of them are larger than they may be', async () => {
      const world = await World.create();
      const log = await world.open({ bounds: { maxSegmentBytes: 500, maxChainBytes: 3_000 } });
      for (let index = 0; index < 40; index += 1) await log.append(event(String(index)));
      await log.close();
      const sizes = await Promise.all(
        (await world.segments()).map(async (name) => (await stat(`${world.folder}/${name}`)).size),
      );
      expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(3_000 + 2_000);
      expect((await world.exchanges()).at(-1)).toBe('39');
      const verdict = await world.verify();
      expect(verdict).toMatchObject({ kind: 'intact' });
      expect(verdict.kind === 'intact' && verdict.firstSeq).toBeGreaterThan(10);
    });

    it('are missed when somebody else removed them', async () => {
      const world = await World.create();
      const log = await world.open();
      for (const exchange of ['a', 'b', 'c']) {
        await log.append(event(exchange));
        world.clock.advance(day);
      }
      await log.close();
      await rm(world.path);
      expect(await world.verify()).toMatchObject({ kind: 'broken', what: 'removed', line: 1 });
    });

    it('that a killed helper said it would remove, and did not, are no tampering', async () => {
      const world = await World.create();
      const log = await world.open({ bounds: { keepMs: day } });
      for (const exchange of ['a', 'b', 'c', 'd', 'e']) {
        await log.append(event(exchange));
        world.clock.advance(day);
      }
      const copy = await readFile(`${world.folder}/000004.jsonl`);
      world.clock.advance(10 * day);
      await log.append(event('f'));
      await log.close();
      expect((await world.segments())[0]).not.toBe('000004.jsonl');
      await writeFile(`${world.folder}/000004.jsonl`, copy);
      expect(await world.verify()).toMatchObject({ kind: 'intact' });
    });
  });
});
