import { appendFile, rm, truncate, stat, writeFile, mkdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { readRecords, type Progress } from '../../../src/audit/readRecords.ts';
import { aWritingMachine, openLog, outcome, type Writing } from '../../support/audit.ts';

async function read({ home }: Writing, chains: string[], progress?: Progress): Promise<string[]> {
  const found: string[] = [];
  for await (const { chain, line } of readRecords(home, chains, progress)) {
    const { exchange } = line.record?.fields ?? {};
    found.push(`${chain}:${typeof exchange === 'string' ? exchange : line.record?.kind}`);
  }
  return found;
}

describe('readRecords', () => {
  it('gives the records of all chains in the order of time', async () => {
    const machine = await aWritingMachine();
    const [a, b] = [await openLog(machine, 'a'), await openLog(machine, 'b')];
    for (const [log, exchange] of [
      [a, '1'],
      [b, '2'],
      [b, '3'],
      [a, '4'],
      [b, '5'],
    ] as const) {
      await log.append(outcome(exchange));
      machine.clock.advance(10);
    }
    expect(await read(machine, ['a', 'b'])).toEqual(['a:started', 'a:1', 'b:started', 'b:2', 'b:3', 'a:4', 'b:5']);
    expect(await read(machine, ['b'])).toEqual(['b:started', 'b:2', 'b:3', 'b:5']);
  });

  it('keeps the order of a chain whose clock was set back', async () => {
    const machine = await aWritingMachine();
    const [a, b] = [await openLog(machine, 'a'), await openLog(machine, 'b')];
    await a.append(outcome('1'));
    machine.clock.advance(-5_000);
    await a.append(outcome('2'));
    machine.clock.advance(10_000);
    await b.append(outcome('3'));
    expect(await read(machine, ['a', 'b'])).toEqual(['a:started', 'a:1', 'a:2', 'b:started', 'b:3']);
  });

  it('goes on where it ended: behind the last whole line, in the next segment, in a new chain', async () => {
    const machine = await aWritingMachine();
    const progress: Progress = new Map();
    const a = await openLog(machine, 'a', { bounds: { maxSegmentMs: 1_000 } });
    await a.append(outcome('1'));
    expect(await read(machine, ['a'], progress)).toEqual(['a:started', 'a:1']);
    expect(await read(machine, ['a'], progress)).toEqual([]);
    await a.append(outcome('2'));
    machine.clock.advance(1_000);
    await a.append(outcome('3'));
    const b = await openLog(machine, 'b');
    await b.append(outcome('4'));
    expect(await read(machine, ['a', 'b'], progress)).toEqual(['a:2', 'a:sealed', 'a:3', 'b:started', 'b:4']);
    expect(await read(machine, ['a', 'b'], progress)).toEqual([]);
  });

  it('waits for the rest of a line that is being written', async () => {
    const machine = await aWritingMachine();
    const progress: Progress = new Map();
    const a = await openLog(machine, 'a');
    await a.append(outcome('1'));
    const path = `${machine.home}/a/000001.jsonl`;
    await appendFile(path, '{"seq":3,');
    expect(await read(machine, ['a'], progress)).toEqual(['a:started', 'a:1']);
    await truncate(path, (await stat(path)).size - 9);
    await a.append(outcome('2'));
    expect(await read(machine, ['a'], progress)).toEqual(['a:2']);
  });

  it('passes over what is gone, and gives what is none of ours as it is', async () => {
    const machine = await aWritingMachine();
    const a = await openLog(machine, 'a');
    await a.append(outcome('1'));
    await appendFile(`${machine.home}/a/000001.jsonl`, 'nonsense\n');
    await mkdir(`${machine.home}/b`);
    await writeFile(`${machine.home}/b/000001.jsonl`, '');
    await rm(`${machine.home}/b`, { recursive: true });
    expect(await read(machine, ['a', 'b'])).toEqual(['a:started', 'a:1', 'a:undefined']);
  });
});
