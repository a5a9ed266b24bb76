import { appendFile, mkdir, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { maxQueuedEvents, soonMs, syncIntervalMs } from '../../../src/audit/auditLog.ts';
import { genesis, lineHash } from '../../../src/audit/link.ts';
import { maxArgumentsLength, maxFieldLength } from '../../../src/audit/record.ts';
import { isSignedBy } from '../../../src/audit/signedRecord.ts';
import { aSigner, openLog, outcome as event } from '../../support/audit.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';
import { until } from '../../support/until.ts';
import { ChainWorld as World } from './chainWorld.ts';

describe('AuditLog', () => {
  it('chains each record to the bytes of the one before', async () => {
    const world = await World.create();
    const log = await world.open();
    await log.append(event('a'));
    world.clock.advance(1_500);
    await log.append(event('b'));
    const [start, first, second] = await world.lines();
    expect(JSON.parse(start!)).toMatchObject({ seq: 1, prev: genesis, kind: 'started', chain: 'h1' });
    expect(JSON.parse(first!)).toEqual({
      seq: 2,
      at: '2026-01-15T00:00:00.000Z',
      prev: lineHash(start!),
      kind: 'outcome',
      exchange: 'a',
      status: 'ok',
    });
    expect(JSON.parse(second!)).toMatchObject({ seq: 3, at: '2026-01-15T00:00:01.500Z', prev: lineHash(first!) });
    expect(log.head).toEqual({ seq: 3, hash: lineHash(second!) });
  });

  it('begins with a signed record that says who writes, and what else there is', async () => {
    const world = await World.create();
    const other = { chain: 'h2', seq: 7, hash: 'a'.repeat(64) };
    const log = await world.open({ helper: 'helper-9', others: [other] });
    await log.append(event('a'));
    const [start] = await world.lines();
    expect(JSON.parse(start!)).toMatchObject({ helper: 'helper-9', pid: process.pid, others: [other] });
    expect(isSignedBy(world.signer.publicKey, Buffer.from(start!))).toBe(true);
    expect(isSignedBy(aSigner().publicKey, Buffer.from(start!))).toBe(false);
  });

  it('leaves no trace of a helper that had nothing to tell', async () => {
    const world = await World.create();
    await (await world.open()).close();
    await expect(stat(world.folder)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('says each time that the head has become another one', async () => {
    const world = await World.create();
    const log = await world.open();
    const counts: (number | undefined)[] = [];
    log.onGrown(() => counts.push(log.head?.seq));
    expect(log.head).toBeUndefined();
    await log.append(event('a'));
    await until(() => counts.length === 1);
    await log.append(event('b'));
    await log.close();
    expect(counts).toEqual([2, 3, 4]);
  });

  it('has the record in the file when the append resolves', async () => {
    const world = await World.create();
    const log = await world.open();
    for (let turn = 1; turn <= 5; turn += 1) {
      await log.append(event(String(turn)));
      expect(await world.lines()).toHaveLength(turn + 1);
    }
  });

  it('writes what nothing waits for with the next record, or soon, or at the end', async () => {
    const world = await World.create();
    const log = await world.open();
    await log.append(event('a'));
    const soon = log.appendSoon(event('b'));
    expect(await world.lines()).toHaveLength(2);
    await log.append(event('c'));
    await soon;
    expect((await world.lines()).slice(2).map((line) => (JSON.parse(line) as { exchange: string }).exchange)).toEqual([
      'b',
      'c',
    ]);
    const alone = log.appendSoon(event('d'));
    world.clock.advance(soonMs);
    await alone;
    expect(await world.lines()).toHaveLength(5);
    const last = log.appendSoon(event('e'));
    await log.close();
    await last;
    expect((await world.lines()).at(-2)).toContain('"exchange":"e"');
  });

  it('writes at once what comes in one turn of the event loop, one after the other', async () => {
    const world = await World.create();
    const log = await world.open();
    await log.append(event('before'));
    const before = world.calls.length;
    const appended: Promise<void>[] = [];
    for (let index = 0; index < 16; index += 1) {
      appended.push(log.append(event(String(index))));
      for (let step = 0; step < 10; step += 1) await Promise.resolve(); // What a request does between two others.
    }
    await Promise.all(appended);
    expect(world.calls.slice(before)).toEqual(['write']);
  });

  it('keeps the order of a thousand appends at once, in a few writes', async () => {
    const world = await World.create();
    const log = await world.open();
    await Promise.all(Array.from({ length: 1_000 }, (_, index) => log.append(event(String(index)))));
    expect(await world.exchanges()).toEqual(Array.from({ length: 1_000 }, (_, index) => String(index)));
    expect(world.calls.filter((call) => call === 'write').length).toBeLessThanOrEqual(4);
    expect(await world.verify()).toMatchObject({ kind: 'intact', records: 1_001 });
  });

  it('makes everything private', async () => {
    const world = await World.create();
    await (await world.open()).append(event('a'));
    expect((await stat(world.path)).mode & 0o777).toBe(0o600);
    expect((await stat(world.folder)).mode & 0o777).toBe(0o700);
  });

  it('goes on with the chain after a restart', async () => {
    const world = await World.create();
    const first = await world.open();
    await first.append(event('a'));
    await first.close();
    const second = await world.open();
    await second.append(event('b'));
    await second.close();
    expect((await world.records()).map(({ kind }) => kind)).toEqual([
      'started',
      'outcome',
      'sealed',
      'started',
      'outcome',
      'sealed',
    ]);
    expect(await world.verify()).toMatchObject({ kind: 'intact', records: 6, signedSeq: 6, closed: true });
  });

  it('cuts long texts and gives the digest of the whole', async () => {
    const world = await World.create();
    const log = await world.open();
    const name = 'x'.repeat(1_000_000);
    await log.append({
      kind: 'call',
      exchange: 'e',
      tunnel: 't',
      principal: { id: 'g', name, grant: 'g' },
      visitor: '192.0.2.1',
      carrier: 'edge',
      method: 'tools/call',
      name,
      decision: 'deny',
      rule: 'user',
    });
    const shortened = `${'x'.repeat(maxFieldLength)}… sha256:${lineHash(name)}`;
    expect((await world.records())[1]).toMatchObject({ name: shortened, principal: { name: shortened } });
  });

  it('keeps more of the arguments, which are there only where somebody asked for them', async () => {
    const world = await World.create();
    const log = await world.open();
    const call = { kind: 'call', exchange: 'e', tunnel: 't', principal: { id: 'g', name: 'n', grant: 'g' } } as const;
    const rest = {
      visitor: '192.0.2.1',
      carrier: 'edge',
      method: 'tools/call',
      decision: 'allow',
      rule: 'user',
    } as const;
    await log.append({ ...call, ...rest, arguments: 'x'.repeat(maxArgumentsLength) });
    await log.append({ ...call, ...rest, arguments: 'x'.repeat(maxArgumentsLength + 1) });
    const [, whole, cut] = await world.records();
    expect(whole).toMatchObject({ arguments: 'x'.repeat(maxArgumentsLength) });
    expect(cut!['arguments']).toMatch(/^x{16384}… sha256:\w{64}$/);
  });

  it.each(['\n', '\u2028', '\ud800', '"}\n{"seq":9', '\0'])(
    'writes one line whatever a name holds: %j',
    async (name) => {
      const world = await World.create();
      const log = await world.open();
      await log.append(event(name));
      await log.append(event('next'));
      expect((await world.records())[1]).toMatchObject({ exchange: name });
      expect(await world.verify()).toMatchObject({ kind: 'intact', records: 3 });
    },
  );

  describe('durability', () => {
    it('asks the disk at most once a second, and not when nothing was written', async () => {
      const world = await World.create();
      const log = await world.open();
      await log.append(event('a'));
      await log.append(event('b'));
      expect(world.calls).not.toContain('sync');
      world.clock.advance(syncIntervalMs);
      await until(() => world.calls.includes('sync'));
      expect(world.clock.pending).toBe(0);
      await log.append(event('c'));
      expect(world.clock.pending).toBe(1);
    });

    it('with sync always, waits for the disk in each append', async () => {
      const world = await World.create();
      const log = await world.open({ sync: () => 'always' });
      await log.append(event('a'));
      await log.append(event('b'));
      expect(world.calls).toEqual(['write', 'write', 'sync', 'write', 'sync']);
    });

    it('a disk that cannot promise anything ends the log', async () => {
      const world = await World.create();
      const log = await world.open({ sync: () => 'always' });
      world.fail = 'sync';
      await expect(log.append(event('a'))).rejects.toMatchObject({ code: 'STATE_UNWRITABLE' });
      world.fail = undefined;
      await expect(log.append(event('b'))).rejects.toMatchObject({ code: 'STATE_UNWRITABLE' });
    });

    it('waits at the close for what is queued, and takes no more', async () => {
      const world = await World.create();
      const log = await world.open();
      const appended = log.append(event('a'));
      const closed = log.close();
      await expect(log.append(event('b'))).rejects.toMatchObject({ code: 'CLOSED' });
      await Promise.all([appended, closed, log.close()]);
      expect((await world.records()).map(({ kind }) => kind)).toEqual(['started', 'outcome', 'sealed']);
      expect(world.calls.at(-1)).toBe('sync');
      expect(world.clock.pending).toBe(0);
    });
  });

  describe('a full disk', () => {
    it('rejects with the reason, and goes on when there is room again', async () => {
      const world = await World.create();
      const log = await world.open();
      await log.append(event('a'));
      world.room = 0;
      await expect(log.append(event('lost'))).rejects.toMatchObject({
        code: 'STATE_UNWRITABLE',
        message: expect.stringContaining('the disk is full') as string,
        data: { path: world.path },
      });
      world.room = Infinity;
      await log.append(event('b'));
      expect(await world.exchanges()).toEqual(['a', 'b']);
      expect(await world.verify()).toMatchObject({ kind: 'intact', records: 3 });
    });

    it('refuses already the first record, and begins when there is room', async () => {
      const world = await World.create();
      const log = await world.open();
      world.room = 100;
      await expect(log.append(event('lost'))).rejects.toMatchObject({ code: 'STATE_UNWRITABLE' });
      expect(await world.lines()).toEqual([]);
      expect(log.head).toBeUndefined();
      world.room = Infinity;
      await log.append(event('a'));
      expect(await world.exchanges()).toEqual(['a']);
      expect(await world.verify()).toMatchObject({ kind: 'intact', records: 2 });
    });

    it.runIf(process.platform === 'linux')('is what /dev/full is', async () => {
      const world = await World.create();
      await mkdir(world.folder, { recursive: true });
      await symlink('/dev/full', world.path);
      const log = await openLog(world, 'h1');
      for (const exchange of ['a', 'b']) {
        await expect(log.append(event(exchange))).rejects.toMatchObject({
          code: 'STATE_UNWRITABLE',
          message: expect.stringContaining('the disk is full') as string,
        });
      }
    });

    it('takes back what was written of a batch that did not fit', async () => {
      const world = await World.create();
      const log = await world.open();
      await log.append(event('a'));
      world.room = 200;
      const results = await Promise.allSettled([
        log.append(event('b')),
        log.append(event('c')),
        log.append(event('d')),
      ]);
      expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
      expect(await world.exchanges()).toEqual(['a']);
      world.room = Infinity;
      await log.append(event('e'));
      expect(await world.verify()).toMatchObject({ kind: 'intact', records: 3 });
    });

    it('ends the log when even that cannot be taken back; the next start repairs it', async () => {
      const world = await World.create();
      const log = await world.open();
      await log.append(event('a'));
      world.room = 50;
      world.fail = 'truncate';
      await expect(log.append(event('b'))).rejects.toMatchObject({ code: 'STATE_UNWRITABLE' });
      world.room = Infinity;
      await expect(log.append(event('c'))).rejects.toMatchObject({ code: 'STATE_UNWRITABLE' });
      world.fail = undefined;
      await (await world.open()).append(event('d'));
      expect((await world.records()).map(({ kind }) => kind)).toEqual([
        'started',
        'outcome',
        'repaired',
        'sealed',
        'started',
        'outcome',
      ]);
    });

    it('writes on when the system takes a part at a time', async () => {
      const world = await World.create();
      world.atOnce = 7;
      const log = await world.open();
      await Promise.all([log.append(event('a')), log.append(event('b'))]);
      expect(await world.verify()).toMatchObject({ kind: 'intact', records: 3 });
    });
  });

  it('refuses more than it can queue, and keeps what it took', async () => {
    const world = await World.create();
    const log = await world.open();
    let open!: () => void;
    world.gate = new Promise((resolve) => (open = resolve));
    const first = log.append(event('first'));
    await turn(); // The first is on its way to the disk now; the others queue.
    const queued = Array.from({ length: maxQueuedEvents }, (_, index) => log.append(event(String(index))));
    await expect(log.append(event('over'))).rejects.toMatchObject({ code: 'LIMIT' });
    open();
    await Promise.all([first, ...queued]);
    expect(await world.exchanges()).toHaveLength(maxQueuedEvents + 1);
  });

  it('leaves a last line that is none of ours for verify to name', async () => {
    const world = await World.create();
    const log = await world.open();
    await log.append(event('a'));
    await log.close();
    await appendFile(world.path, 'not a record\n');
    await (await world.open()).append(event('b'));
    expect((await world.lines())[3]).toBe('not a record');
    expect(await world.verify()).toMatchObject({ kind: 'broken', line: 4 });
  });

  describe('a file that somebody else touches while it is in use', () => {
    const touch: [string, (path: string) => Promise<void>][] = [
      ['written to', (path) => appendFile(path, '{}\n')],
      ['cut', (path) => truncate(path, 10)],
      ['removed', (path) => rm(path)],
    ];
    it.each(touch)('is not appended to after it was %s', async (_, change) => {
      const world = await World.create();
      const log = await world.open();
      await log.append(event('a'));
      await change(world.path);
      world.clock.advance(syncIntervalMs);
      await until(() => world.calls.includes('sync'));
      await until(() =>
        log.append(event('b')).then(
          () => false,
          (error: { code: string }) => error.code === 'STATE_UNWRITABLE',
        ),
      );
    });
  });

  it('says what to do when the folder cannot be written', async () => {
    const folder = `${await temporaryFolder()}/file`;
    await writeFile(folder, '');
    await expect(openLog({ home: folder, clock: new FakeClock(), signer: aSigner() }, 'h1')).rejects.toMatchObject({
      code: 'STATE_UNWRITABLE',
      message: expect.stringContaining('make it writable') as string,
    });
  });
});
