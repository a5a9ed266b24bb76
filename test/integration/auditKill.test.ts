import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { AuditLog, firstSegment } from '../../src/audit/auditLog.ts';
import { verifyFolder } from '../../src/audit/verify.ts';
import { systemClock } from '../../src/core/clock.ts';
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

describe('an audit log whose writer is killed with -9', () => {
  it('holds every record that was promised, life after life, in one chain', async () => {
    const folder = await temporaryFolder();
    const worker = await bundle(fileURLToPath(new URL('./auditKillWorker.ts', import.meta.url)), folder);
    const log = join(folder, 'log');
    let promised = 0;
    for (const records of [1, 50, 333]) promised += await killedAfter(records, worker, log);

    // What a kill can leave, a power cut makes certain.
    const path = join(log, firstSegment);
    await truncate(path, (await stat(path)).size - 3);
    await (await AuditLog.open({ folder: log, clock: systemClock })).close();
    const verdict = await verifyFolder(log);
    if (verdict.kind !== 'intact') throw new Error(verdict.message);
    expect(promised).toBeGreaterThanOrEqual(384);
    expect(verdict.records).toBeGreaterThanOrEqual(promised);
  });
});
