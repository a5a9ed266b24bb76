import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { chainLocks } from '../../../src/helper/chainLocks.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

/** What a process leaves that was killed: no process has this number. */
const deadHolder = JSON.stringify({ id: '0123456789abcdef', pid: 2 ** 22 + 1, start: null, host: hostname() });

describe('chainLocks', () => {
  it('gives a chain to one holder at a time, without waiting', async () => {
    const path = `${await temporaryFolder()}/chain`;
    expect(await chainLocks.isTaken(path)).toBe(false);
    const release = await chainLocks.take(path);
    expect(await chainLocks.isTaken(path)).toBe(true);
    expect(await chainLocks.take(path)).toBeUndefined();
    await release?.();
    expect(await chainLocks.isTaken(path)).toBe(false);
    await (
      await chainLocks.take(path)
    )?.();
  });

  it('takes what a killed process held for free', async () => {
    const path = `${await temporaryFolder()}/chain`;
    await writeFile(`${path}.lock`, deadHolder);
    expect(await chainLocks.isTaken(path)).toBe(false);
    const release = await chainLocks.take(path);
    expect(release).toBeDefined();
    await release?.();
  });

  it('says which folder cannot be used', async () => {
    const file = `${await temporaryFolder()}/file`;
    await writeFile(file, '');
    await expect(chainLocks.take(`${file}/chain`)).rejects.toMatchObject({ code: 'STATE_UNWRITABLE' });
  });
});
