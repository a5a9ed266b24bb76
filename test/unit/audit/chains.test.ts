import { appendFile, mkdir, readdir, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { AuditLog } from '../../../src/audit/auditLog.ts';
import { listChains, maxChains, takeChain, type ChainLocks } from '../../../src/audit/chains.ts';
import { aWritingMachine, openLog, outcome, recordsIn, type Writing } from '../../support/audit.ts';

/** Locks within this process. */
class MemoryLocks implements ChainLocks {
  readonly held = new Set<string>();

  async take(path: string): Promise<(() => Promise<void>) | undefined> {
    if (this.held.has(path)) return undefined;
    this.held.add(path);
    return async () => void this.held.delete(path);
  }

  async isTaken(path: string): Promise<boolean> {
    return this.held.has(path);
  }
}

async function helperOf(machine: Writing, helper: string, locks: ChainLocks): Promise<AuditLog> {
  const taken = await takeChain(machine.home, helper, locks);
  return AuditLog.open({ ...taken, helper, clock: machine.clock, signer: machine.signer });
}

describe('takeChain', () => {
  it('goes on with the chain of a helper that has ended, and leaves that of one that runs', async () => {
    const [machine, locks] = [await aWritingMachine(), new MemoryLocks()];
    const first = await helperOf(machine, 'first', locks);
    await first.append(outcome('a'));
    const second = await helperOf(machine, 'second', locks);
    expect([first.chain, second.chain]).toEqual(['first', 'second']);
    await second.append(outcome('b'));
    await Promise.all([first.close(), second.close()]);
    expect([...locks.held]).toEqual([]);

    const third = await helperOf(machine, 'third', locks);
    const fourth = await helperOf(machine, 'fourth', locks);
    expect([third.chain, fourth.chain].sort()).toEqual(['first', 'second']);
    await Promise.all([third.close(), fourth.close()]);
    expect(await listChains(machine.home)).toEqual(['first', 'second']);
  });

  it('prefers the one that was written last: a killed helper’s is put right by the next', async () => {
    const [machine, locks] = [await aWritingMachine(), new MemoryLocks()];
    for (const chain of ['a', 'b', 'c']) {
      const log = await openLog(machine, chain);
      await log.append(outcome(chain));
      await log.close();
    }
    await utimes(`${machine.home}/b/000001.jsonl`, 2_000_000_000, 2_000_000_000);
    expect((await takeChain(machine.home, 'new', locks)).chain).toBe('b');
  });

  it('notes the ends of the chains that nobody holds, without a torn line', async () => {
    const [machine, locks] = [await aWritingMachine(), new MemoryLocks()];
    const heads = new Map<string, object | undefined>();
    for (const chain of ['a', 'b', 'c']) {
      const log = await openLog(machine, chain, { bounds: { maxSegmentBytes: 1 } });
      await log.append(outcome(chain));
      await log.close();
      heads.set(chain, log.head);
    }
    await appendFile(`${machine.home}/a/${(await readdir(`${machine.home}/a`)).at(-1)}`, '{"seq":');
    await writeFile(`${machine.home}/a/000099.jsonl`, '');
    await utimes(`${machine.home}/c/${(await readdir(`${machine.home}/c`)).at(-1)}`, 2e9, 2e9);
    locks.held.add(`${machine.home}/b`);
    const log = await helperOf(machine, 'new', locks);
    await log.append(outcome('d'));
    await log.close();
    expect(log.chain).toBe('c');
    const starts = (await recordsIn(`${machine.home}/c`)).filter(({ kind }) => kind === 'started');
    expect(starts.at(-1)).toMatchObject({ helper: 'new', others: [{ chain: 'a', ...heads.get('a') }] });
  });

  it('lets in no more helpers at once than it has room for, and says so', async () => {
    const [machine, locks] = [await aWritingMachine(), new MemoryLocks()];
    for (let index = 0; index < maxChains; index += 1) {
      await mkdir(`${machine.home}/h${index}`);
      await locks.take(`${machine.home}/h${index}`);
    }
    await expect(takeChain(machine.home, 'one-more', locks)).rejects.toMatchObject({ code: 'LIMIT' });
    locks.held.delete(`${machine.home}/h7`);
    expect((await takeChain(machine.home, 'one-more', locks)).chain).toBe('h7');
  });

  it('makes its folder for this user alone, and passes over what is no chain', async () => {
    const [machine, locks] = [await aWritingMachine(), new MemoryLocks()];
    const home = `${machine.home}/audit`;
    await takeChain(home, 'new', locks);
    expect((await stat(home)).mode & 0o777).toBe(0o700);
    await mkdir(`${home}/.hidden`);
    await mkdir(`${home}/with space`);
    await writeFile(`${home}/file`, '');
    expect(await listChains(home)).toEqual([]);
  });

  it('says which folder cannot be used', async () => {
    const [machine, locks] = [await aWritingMachine(), new MemoryLocks()];
    await writeFile(`${machine.home}/file`, '');
    const taken = takeChain(`${machine.home}/file/audit`, 'new', locks);
    await expect(taken).rejects.toMatchObject({ code: 'STATE_UNWRITABLE' });
  });

  it('survives a chain that is damaged', async () => {
    const [machine, locks] = [await aWritingMachine(), new MemoryLocks()];
    const log = await openLog(machine, 'a');
    await log.append(outcome('a'));
    await log.close();
    await truncate(`${machine.home}/a/000001.jsonl`, 5);
    await mkdir(`${machine.home}/b/000001.jsonl`, { recursive: true });
    locks.held.add(`${machine.home}/b`);
    const next = await helperOf(machine, 'new', locks);
    await next.append(outcome('b'));
    await next.close();
    expect(next.chain).toBe('a');
    expect((await recordsIn(`${machine.home}/a`)).map(({ kind }) => kind)).toContain('repaired');
  });
});
