import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openAuditLog } from '../../src/audit/openAuditLog.ts';
import { readPublicKey } from '../../src/audit/signingKey.ts';
import { verifyHome } from '../../src/audit/verifyHome.ts';
import { systemClock } from '../../src/core/clock.ts';
import { chainLocks } from '../../src/helper/chainLocks.ts';
import { privateFiles } from '../../src/helper/privateFiles.ts';
import { bundle } from '../support/bundle.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

/** Starts the worker, kills it in the middle of its work, and gives the number of records it was promised. */
async function killedAfter(records: number, worker: string, folder: string): Promise<number> {
  const child = spawn(process.execPath, [worker, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let promised = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    promised = Number(line);
    if (promised === records) child.kill('SIGKILL');
  }
  await closed;
  expect(child.signalCode).toBe('SIGKILL');
  return promised;
}

function keyFilesIn(folder: string): { private: string; public: string } {
  return { private: join(folder, 'key.pem'), public: join(folder, 'key.pub.pem') };
}

describe('an audit log whose writer is killed with -9', () => {
  it('holds every record that was promised, life after life, in one chain', async () => {
    const folder = await temporaryFolder();
    const worker = await bundle(fileURLToPath(new URL('./auditKillWorker.ts', import.meta.url)), folder);
    const home = join(folder, 'audit');
    let promised = 0;
    for (const records of [1, 50, 333]) promised += await killedAfter(records, worker, folder);

    // What a kill can leave, a power cut makes certain.
    const [chain = '', ...others] = (await readdir(home)).filter((name) => !name.endsWith('.lock'));
    expect(others).toEqual([]);
    const path = join(home, chain, '000001.jsonl');
    await truncate(path, (await stat(path)).size - 3);
    const publicKey = await readPublicKey(privateFiles, keyFilesIn(folder));
    const [torn] = await verifyHome({ folder: home, publicKey });
    expect(torn).toMatchObject({ kind: 'intact', closed: false });
    expect(torn?.kind === 'intact' && torn.tornBytes).toBeGreaterThan(0);

    const log = await openAuditLog({
      folder: home,
      keyFiles: keyFilesIn(folder),
      files: privateFiles,
      locks: chainLocks,
      helper: 'last',
      clock: systemClock,
    });
    await log.append({ kind: 'outcome', exchange: 'last', status: 'ok' });
    await log.close();
    const [verdict] = await verifyHome({ folder: home, publicKey });
    if (verdict?.kind !== 'intact') throw new Error(verdict?.message);
    expect(promised).toBeGreaterThanOrEqual(384);
    expect(verdict).toMatchObject({ chain, closed: true, tornBytes: 0 });
    expect(verdict.repaired.length).toBeGreaterThanOrEqual(1);
    expect(verdict.recovered).toHaveLength(3);
    expect(verdict.records).toBeGreaterThanOrEqual(promised);
  });

  it('is not taken over while its writer lives', async () => {
    const folder = await temporaryFolder();
    const options = { keyFiles: keyFilesIn(folder), files: privateFiles, locks: chainLocks, clock: systemClock };
    const [first, second] = await Promise.all(
      ['one', 'two'].map((helper) => openAuditLog({ ...options, folder: join(folder, 'audit'), helper })),
    );
    expect(first?.chain).not.toBe(second?.chain);
    await Promise.all([first?.close(), second?.close()]);
    expect(await readdir(join(folder, 'audit'))).toEqual([]);
  });
});
