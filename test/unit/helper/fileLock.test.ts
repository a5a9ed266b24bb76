import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { foreignLockMs, lockFile, silentLockMs } from '../../../src/helper/fileLock.ts';
import { processStart } from '../../../src/helper/platformFiles.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

/** Above the largest number that Linux gives to a process. */
const deadPid = 4_194_305;
const isLinux = process.platform === 'linux';

async function aFile(): Promise<{ path: string; lock: string; folder: string }> {
  const folder = await temporaryFolder();
  const path = join(folder, 'state.json');
  return { path, lock: `${path}.lock`, folder };
}

async function someoneHolds(lock: string, holder: object | string, ageMs = 0): Promise<void> {
  const usual = { id: '0123456789abcdef', pid: process.pid, start: await processStart(process.pid), host: hostname() };
  await writeFile(lock, typeof holder === 'string' ? holder : JSON.stringify({ ...usual, ...holder }));
  const seconds = (Date.now() - ageMs) / 1000;
  await utimes(lock, seconds, seconds);
}

describe('lockFile', () => {
  it('lets one in at a time and leaves nothing behind', async () => {
    const { path, folder } = await aFile();
    let inside = 0;
    let most = 0;
    const visit = async (): Promise<void> => {
      const letGo = await lockFile(path);
      most = Math.max(most, ++inside);
      await readdir(folder); // Time for another one to come in.
      inside--;
      await letGo();
    };
    await Promise.all(Array.from({ length: 12 }, visit));
    expect(most).toBe(1);
    expect(await readdir(folder)).toEqual([]);
  });

  it('says who holds it when that takes too long', async () => {
    const { path, lock } = await aFile();
    const letGo = await lockFile(path);
    await expect(lockFile(path, 30)).rejects.toMatchObject({
      code: 'CONFLICT',
      retryable: true,
      message: expect.stringContaining(`process ${process.pid} on ${hostname()} holds ${path}: `) as string,
      data: { path, lock },
    });
    await letGo();
    await (
      await lockFile(path, 0)
    )();
  });

  it('takes over the lock of a process that is gone', async () => {
    const { path, lock, folder } = await aFile();
    await someoneHolds(lock, { pid: deadPid });
    const letGo = await lockFile(path, 0);
    expect(await readFile(lock, 'utf8')).toContain(`"pid":${process.pid}`);
    expect(await readdir(folder)).toEqual(['state.json.lock']);
    await letGo();
  });

  it.runIf(isLinux)('takes over the lock of a process whose number somebody else has now', async () => {
    const { path, lock } = await aFile();
    await someoneHolds(lock, { pid: process.pid, start: '1' });
    await (
      await lockFile(path, 0)
    )();
  });

  it('takes over a dead lock once, however many see it', async () => {
    const { path, lock, folder } = await aFile();
    await someoneHolds(lock, { pid: deadPid });
    let inside = 0;
    let most = 0;
    const visit = async (): Promise<void> => {
      const letGo = await lockFile(path);
      most = Math.max(most, ++inside);
      await readdir(folder);
      inside--;
      await letGo();
    };
    await Promise.all(Array.from({ length: 12 }, visit));
    expect(most).toBe(1);
    expect(await readdir(folder)).toEqual([]);
  });

  it('goes on when a process died while it took over a dead lock', async () => {
    const { path, lock, folder } = await aFile();
    await someoneHolds(lock, { id: 'aaaaaaaaaaaaaaaa', pid: deadPid });
    await someoneHolds(`${lock}.aaaaaaaaaaaaaaaa.lock`, { id: 'bbbbbbbbbbbbbbbb', pid: deadPid });
    await (
      await lockFile(path, 0)
    )();
    expect(await readdir(folder)).toEqual([]);
  });

  it.each(['', '{', '{"id":"x","pid":-1}', 'null'])('takes “%s” for a lock until it is old', async (text) => {
    const { path, lock } = await aFile();
    await someoneHolds(lock, text);
    await expect(lockFile(path, 30)).rejects.toThrow('another process holds');
    await someoneHolds(lock, text, silentLockMs + 100);
    await (
      await lockFile(path, 0)
    )();
  });

  it('cannot look at a holder on another machine, so waits for its lock to grow old', async () => {
    const { path, lock } = await aFile();
    await someoneHolds(lock, { pid: deadPid, host: 'elsewhere' });
    await expect(lockFile(path, 30)).rejects.toThrow(`process ${deadPid} on elsewhere holds`);
    await someoneHolds(lock, { pid: deadPid, host: 'elsewhere' }, foreignLockMs + 100);
    await (
      await lockFile(path, 0)
    )();
  });

  it('does not remove the lock of whoever took it over', async () => {
    const { path, lock } = await aFile();
    const letGo = await lockFile(path);
    await someoneHolds(lock, { id: 'cccccccccccccccc' });
    await letGo();
    expect(await readFile(lock, 'utf8')).toContain('cccccccccccccccc');
  });
});
