import { readFile, rm, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import type { AuditHead } from '../../../src/protocol/control.ts';
import { auditVerdicts, maxHeads } from '../../../src/helper/auditVerdicts.ts';
import { aWritingMachine, openLog, outcome } from '../../support/audit.ts';

/** A machine with two logs, and their heads as a driver kept them. */
async function machine() {
  const { signer, ...writing } = await aWritingMachine();
  const heads: AuditHead[] = [];
  for (const chain of ['a', 'b']) {
    const log = await openLog({ ...writing, signer }, chain);
    for (const name of ['1', '2', '3']) await log.append(outcome(name));
    await log.close();
    heads.push({ chain, key: signer.publicKey, count: log.head!.seq, hash: log.head!.hash });
  }
  const path = (chain: string): string => `${writing.home}/${chain}/000001.jsonl`;
  const place = { folder: writing.home, publicKey: signer.publicKey };
  return { heads, path, place, verify: (kept = heads) => auditVerdicts(place, kept) };
}

it('counts the records of logs that are as they were written', async () => {
  const { verify } = await machine();
  expect(await verify()).toEqual([
    { chain: 'a', records: 5 },
    { chain: 'b', records: 5 },
  ]);
});

it('names the first line that is not', async () => {
  const { verify, path } = await machine();
  await writeFile(path('b'), (await readFile(path('b'), 'utf8')).replace('"2"', '"9"'));
  const [sound, broken] = await verify();
  expect(sound).toEqual({ chain: 'a', records: 5 });
  expect(broken?.problem).toMatch(/\/b\/000001\.jsonl:3: /);
  expect(broken?.records).toBe(0);
});

it('misses records that were cut, and logs that were removed, by the heads alone', async () => {
  const { verify, path, place } = await machine();
  await writeFile(path('a'), `${(await readFile(path('a'), 'utf8')).split('\n').slice(0, 3).join('\n')}\n`);
  await rm(`${place.folder}/b`, { recursive: true });
  expect(await verify([])).toEqual([{ chain: 'a', records: 3 }]);
  const [cut, gone] = await verify();
  expect(cut?.problem).toContain('records 4 to 5 are missing at the end');
  expect(gone).toMatchObject({ chain: 'b', records: 0 });
  expect(gone?.problem).toContain('knew 5 records');
});

it('compares every head of a log, not only the newest', async () => {
  const { verify, heads } = await machine();
  const earlier = { ...heads[0]!, count: 3, hash: '0'.repeat(64) };
  expect((await verify([earlier, ...heads]))[0]?.problem).toContain('record 3 that was known elsewhere');
});

it('tells of a key that is not the one of the heads', async () => {
  const { verify, heads } = await machine();
  const [verdict] = await verify([{ ...heads[0]!, key: 'f'.repeat(64) }]);
  expect(verdict?.problem).toContain('signs with');
});

it('refuses more heads than anybody keeps', async () => {
  const { verify, heads } = await machine();
  const many = Array.from({ length: maxHeads + 1 }, () => heads[0]!);
  await expect(verify(many)).rejects.toMatchObject({ code: 'USAGE' });
});
