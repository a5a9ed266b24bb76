import { mkdir, readFile, rm, stat, truncate, writeFile, appendFile } from 'node:fs/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AuditEvent } from '../../../src/audit/auditEvent.ts';
import {
  AuditLog,
  firstSegment,
  maxQueuedEvents,
  syncIntervalMs,
  type AuditLogOptions,
} from '../../../src/audit/auditLog.ts';
import { openChainFile, type ChainFile } from '../../../src/audit/chainFile.ts';
import { genesis, lineHash, maxFieldLength } from '../../../src/audit/record.ts';
import { verifyFolder } from '../../../src/audit/verify.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';
import { until } from '../../support/until.ts';

const event = (exchange: string): AuditEvent => ({ kind: 'outcome', exchange, status: 'ok' });
type Line = { seq: number; at: string; prev: string; kind: string; [field: string]: unknown };

/** A folder with logs in it, and a disk that a test can fill. */
class World {
  readonly clock = new FakeClock();
  readonly folder: string;
  readonly calls: string[] = [];
  /** Bytes the disk still takes. */
  room = Infinity;
  /** Most bytes that one write takes. */
  atOnce = Infinity;
  fail: 'sync' | 'truncate' | undefined;
  /** Writes wait for this. */
  gate: Promise<void> = Promise.resolve();

  constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<World> {
    return new World(`${await temporaryFolder()}/audit/h1`);
  }

  async open(more: Partial<AuditLogOptions> = {}): Promise<AuditLog> {
    const openFile = async (folder: string, path: string): Promise<ChainFile> =>
      this.#limited(await openChainFile(folder, path));
    const log = await AuditLog.open({ folder: this.folder, clock: this.clock, openFile, ...more });
    onTestFinished(() => log.close().catch(() => {}));
    return log;
  }

  get path(): string {
    return `${this.folder}/${firstSegment}`;
  }

  async lines(): Promise<string[]> {
    const text = await readFile(this.path, 'utf8');
    return text.split('\n').slice(0, -1);
  }

  async records(): Promise<Line[]> {
    return (await this.lines()).map((line) => JSON.parse(line) as Line);
  }

  #limited(file: ChainFile): ChainFile {
    return {
      read: (position, length) => file.read(position, length),
      stat: () => file.stat(),
      close: () => file.close(),
      truncate: (size) => {
        this.calls.push('truncate');
        return this.fail === 'truncate' ? Promise.reject(new Error('EIO')) : file.truncate(size);
      },
      sync: () => {
        this.calls.push('sync');
        return this.fail === 'sync' ? Promise.reject(new Error('EIO')) : file.sync();
      },
      write: async (bytes) => {
        await this.gate;
        this.calls.push('write');
        const taken = Math.min(bytes.length, this.room, this.atOnce);
        if (taken === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
        const written = await file.write(bytes.subarray(0, taken));
        this.room -= written;
        return written;
      },
    };
  }
}

describe('AuditLog', () => {
  it('chains each record to the bytes of the one before', async () => {
    const world = await World.create();
    const log = await world.open();
    await log.append(event('a'));
    world.clock.advance(1_500);
    await log.append(event('b'));
    const [first, second] = await world.lines();
    expect(JSON.parse(first!)).toEqual({
      seq: 1,
      at: '2026-01-15T00:00:00.000Z',
      prev: genesis,
      kind: 'outcome',
      exchange: 'a',
      status: 'ok',
    });
    expect(JSON.parse(second!)).toMatchObject({ seq: 2, at: '2026-01-15T00:00:01.500Z', prev: lineHash(first!) });
  });

  it('has the record in the file when the append resolves', async () => {
    const world = await World.create();
    const log = await world.open();
    for (let turn = 1; turn <= 5; turn += 1) {
      await log.append(event(String(turn)));
      expect(await world.lines()).toHaveLength(turn);
    }
  });

  it('keeps the order of a thousand appends at once, in a few writes', async () => {
    const world = await World.create();
    const log = await world.open();
    await Promise.all(Array.from({ length: 1_000 }, (_, index) => log.append(event(String(index)))));
    const records = await world.records();
    expect(records.map(({ exchange }) => exchange)).toEqual(Array.from({ length: 1_000 }, (_, index) => String(index)));
    expect(world.calls.filter((call) => call === 'write').length).toBeLessThanOrEqual(3);
    expect(await verifyFolder(world.folder)).toMatchObject({ kind: 'intact', records: 1_000 });
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
    await (await world.open()).append(event('b'));
    expect((await world.records()).map(({ seq }) => seq)).toEqual([1, 2]);
    expect(await verifyFolder(world.folder)).toMatchObject({ kind: 'intact', records: 2 });
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
    expect((await world.records())[0]).toMatchObject({ name: shortened, principal: { name: shortened } });
  });

  it.each(['\n', '\u2028', '\ud800', '"}\n{"seq":9', '\0'])(
    'writes one line whatever a name holds: %j',
    async (name) => {
      const world = await World.create();
      const log = await world.open();
      await log.append(event(name));
      await log.append(event('next'));
      expect((await world.records())[0]).toMatchObject({ exchange: name });
      expect(await verifyFolder(world.folder)).toMatchObject({ kind: 'intact', records: 2 });
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
      const log = await world.open({ sync: 'always' });
      await log.append(event('a'));
      await log.append(event('b'));
      expect(world.calls).toEqual(['write', 'sync', 'write', 'sync']);
    });

    it('a disk that cannot promise anything ends the log', async () => {
      const world = await World.create();
      const log = await world.open({ sync: 'always' });
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
      expect(await world.lines()).toHaveLength(1);
      expect(world.calls).toContain('sync');
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
      expect((await world.records()).map(({ exchange }) => exchange)).toEqual(['a', 'b']);
      expect(await verifyFolder(world.folder)).toMatchObject({ kind: 'intact', records: 2 });
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
      expect(await world.lines()).toHaveLength(1);
      world.room = Infinity;
      await log.append(event('e'));
      expect(await verifyFolder(world.folder)).toMatchObject({ kind: 'intact', records: 2 });
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
      await world.open();
      expect((await world.records()).map(({ kind }) => kind)).toEqual(['outcome', 'repaired']);
    });

    it('writes on when the system takes a part at a time', async () => {
      const world = await World.create();
      world.atOnce = 7;
      const log = await world.open();
      await Promise.all([log.append(event('a')), log.append(event('b'))]);
      expect(await verifyFolder(world.folder)).toMatchObject({ kind: 'intact', records: 2 });
    });
  });

  it('refuses more than it can queue, and keeps what it took', async () => {
    const world = await World.create();
    const log = await world.open();
    let open!: () => void;
    world.gate = new Promise((resolve) => (open = resolve));
    const first = log.append(event('first'));
    await Promise.resolve();
    await Promise.resolve(); // The first is on its way to the disk now; the others queue.
    const queued = Array.from({ length: maxQueuedEvents }, (_, index) => log.append(event(String(index))));
    await expect(log.append(event('over'))).rejects.toMatchObject({ code: 'LIMIT' });
    open();
    await Promise.all([first, ...queued]);
    expect(await world.lines()).toHaveLength(maxQueuedEvents + 1);
  });

  describe('after a kill -9', () => {
    it('repairs a torn last line and notes its length and digest in the chain', async () => {
      const world = await World.create();
      const log = await world.open();
      await log.append(event('a'));
      await log.append(event('b'));
      await log.close();
      const { size } = await stat(world.path);
      const torn = (await readFile(world.path)).subarray(-60, -10);
      await truncate(world.path, size - 10);
      const whole = (await world.lines())[0]!;
      const rest = (await readFile(world.path)).subarray(Buffer.byteLength(whole) + 1);
      expect(rest.subarray(-50)).toEqual(torn);
      await (await world.open()).append(event('c'));
      expect(await world.records()).toMatchObject([
        { seq: 1, exchange: 'a' },
        { seq: 2, kind: 'repaired', prev: lineHash(whole), tornBytes: rest.length, tornSha256: lineHash(rest) },
        { seq: 3, exchange: 'c' },
      ]);
      expect(await verifyFolder(world.folder)).toMatchObject({ kind: 'intact', records: 3 });
    });

    it.each([0, 1, 40, 100_000])('repairs a log that was torn %i bytes into its first line', async (bytes) => {
      const world = await World.create();
      await mkdir(world.folder, { recursive: true });
      await writeFile(world.path, '{"seq":1,'.padEnd(bytes, 'x').slice(0, bytes));
      await (await world.open()).append(event('a'));
      const kinds = (await world.records()).map(({ kind }) => kind);
      expect(kinds).toEqual(bytes === 0 ? ['outcome'] : ['repaired', 'outcome']);
      expect(await verifyFolder(world.folder)).toMatchObject({ kind: 'intact' });
    });
  });

  it('leaves a last line that is none of ours for verify to name', async () => {
    const world = await World.create();
    const log = await world.open();
    await log.append(event('a'));
    await log.close();
    await appendFile(world.path, 'not a record\n');
    await (await world.open()).append(event('b'));
    expect((await world.lines())[1]).toBe('not a record');
    expect(await verifyFolder(world.folder)).toMatchObject({ kind: 'broken', line: 2 });
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
    await expect(AuditLog.open({ folder: `${folder}/h1`, clock: new FakeClock() })).rejects.toMatchObject({
      code: 'STATE_UNWRITABLE',
      message: expect.stringContaining('make it writable') as string,
    });
  });
});
