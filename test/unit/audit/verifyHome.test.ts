import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Head } from '../../../src/audit/link.ts';
import { verifyHome } from '../../../src/audit/verifyHome.ts';
import { aWritingMachine, openLog, outcome, type Writing } from '../../support/audit.ts';

/** Two chains of helpers that have ended, and a third that was begun after them. */
async function threeChains(): Promise<{ machine: Writing; heads: Map<string, Head> }> {
  const machine = await aWritingMachine();
  const heads = new Map<string, Head>();
  for (const chain of ['a', 'b', 'c']) {
    const others = chain === 'c' ? [...heads].map(([other, head]) => ({ chain: other, ...head })) : [];
    const log = await openLog(machine, chain, { others });
    await log.append(outcome(`${chain}1`));
    await log.append(outcome(`${chain}2`));
    await log.close();
    heads.set(chain, log.head!);
  }
  return { machine, heads };
}

async function verdicts({ home, signer }: Writing, heads?: Map<string, Head[]>): Promise<Record<string, string>> {
  const found = await verifyHome({ folder: home, publicKey: signer.publicKey, ...(heads ? { heads } : {}) });
  return Object.fromEntries(
    found.map((verdict) => [verdict.chain, verdict.kind === 'intact' ? 'intact' : verdict.what]),
  );
}

describe('verifyHome', () => {
  it('tells of each chain', async () => {
    const { machine } = await threeChains();
    expect(await verdicts(machine)).toEqual({ a: 'intact', b: 'intact', c: 'intact' });
  });

  it('one broken chain does not hide the others', async () => {
    const { machine } = await threeChains();
    const path = `${machine.home}/b/000001.jsonl`;
    await writeFile(path, (await readFile(path, 'utf8')).replace('"b1"', '"b9"'));
    expect(await verdicts(machine)).toEqual({ a: 'intact', b: 'changed', c: 'intact' });
  });

  it('misses a chain that another one knew', async () => {
    const { machine } = await threeChains();
    await rm(`${machine.home}/a`, { recursive: true });
    const [missing] = (await verifyHome({ folder: machine.home, publicKey: machine.signer.publicKey })).filter(
      ({ kind }) => kind === 'broken',
    );
    expect(missing).toMatchObject({
      chain: 'a',
      what: 'removed',
      message: expect.stringContaining('4 records') as string,
    });
  });

  it('misses records that were cut from a chain that another one knew', async () => {
    const { machine } = await threeChains();
    const path = `${machine.home}/a/000001.jsonl`;
    await writeFile(path, `${(await readFile(path, 'utf8')).split('\n').slice(0, 2).join('\n')}\n`);
    expect(await verdicts(machine)).toEqual({ a: 'cut', b: 'intact', c: 'intact' });
  });

  it('sees that two chains have changed places', async () => {
    const { machine } = await threeChains();
    await rename(`${machine.home}/a`, `${machine.home}/x`);
    await rename(`${machine.home}/b`, `${machine.home}/a`);
    await rename(`${machine.home}/x`, `${machine.home}/b`);
    expect(await verdicts(machine)).toEqual({ a: 'reordered', b: 'reordered', c: 'intact' });
  });

  it('holds heads that were kept elsewhere against the chain they are of', async () => {
    const { machine, heads } = await threeChains();
    const path = `${machine.home}/c/000001.jsonl`;
    await writeFile(path, `${(await readFile(path, 'utf8')).split('\n').slice(0, -2).join('\n')}\n`);
    expect(await verdicts(machine)).toMatchObject({ c: 'intact' });
    expect(await verdicts(machine, new Map([['c', [heads.get('c')!]]]))).toMatchObject({ c: 'cut' });
    expect(await verdicts(machine, new Map([['a', [heads.get('c')!]]]))).toMatchObject({ a: 'changed' });
  });

  it('a folder without a segment is no chain, and no folder at all holds none', async () => {
    const { machine } = await threeChains();
    await mkdir(`${machine.home}/empty`);
    expect(Object.keys(await verdicts(machine))).toEqual(['a', 'b', 'c']);
    expect(await verifyHome({ folder: `${machine.home}/none`, publicKey: undefined })).toEqual([]);
  });
});
