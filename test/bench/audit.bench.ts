// What one audit record costs: appended one by one and 64 at a time, durable within a second or with each record, and
// read back by verify. CPU time of this process per record, and time on the clock.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditEvent } from '../../src/audit/auditEvent.ts';
import type { AuditLog } from '../../src/audit/auditLog.ts';
import { openAuditLog } from '../../src/audit/openAuditLog.ts';
import { verifyChain } from '../../src/audit/verify.ts';
import { systemClock as clock } from '../../src/core/clock.ts';
import { chainLocks } from '../../src/helper/chainLocks.ts';
import { privateFiles as files } from '../../src/helper/privateFiles.ts';

const call: AuditEvent = {
  kind: 'call',
  exchange: 'k3f9-1a2b',
  tunnel: 'd4cb916e-19ab-405d-81ad-5f670c27642c',
  principal: { id: 'g_32512f1a2954e464', name: 'claude', grant: 'g_32512f1a2954e464' },
  agent: 'claude-code 2.1.0',
  visitor: '203.0.113.7:51234',
  carrier: 'edge',
  method: 'tools/call',
  name: 'echo',
  argumentsDigest: 'a'.repeat(64),
  decision: 'allow',
  rule: 'user agents["*"]',
};

async function main(): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'mcp-tunnel-bench-'));
  const open = (folder: string, sync: 'interval' | 'always'): Promise<AuditLog> =>
    openAuditLog({
      folder: join(home, folder),
      keyFiles: { private: join(home, 'key.pem'), public: join(home, 'key.pub') },
      files,
      locks: chainLocks,
      helper: 'bench',
      clock,
      sync: () => sync,
    });
  const log = await open('interval', 'interval');
  await append(log, 20_000, 1); // Warms up.
  await measured('one by one', 50_000, (count) => append(log, count, 1));
  await measured('64 at a time', 200_000, (count) => append(log, count, 64));
  await log.close();
  const { records = 0 } = (await verify(home, log)) as { records?: number };
  await measured('verify', records, () => verify(home, log));
  const durable = await open('always', 'always');
  await measured('one by one, each on the disk', 500, (count) => append(durable, count, 1));
  await measured('64 at a time, each on the disk', 6_400, (count) => append(durable, count, 64));
  await durable.close();
  await rm(home, { recursive: true });
}

function verify(home: string, { chain, publicKey }: AuditLog): Promise<object> {
  return verifyChain({ chain, folder: join(home, 'interval', chain), publicKey });
}

async function append(log: AuditLog, count: number, atOnce: number): Promise<void> {
  const one = async (): Promise<void> => {
    for (let done = 0; done < count / atOnce; done += 1) await log.append(call);
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}

async function measured(what: string, count: number, act: (count: number) => Promise<unknown>): Promise<void> {
  const [cpu, started] = [process.cpuUsage(), performance.now()];
  await act(count);
  const tookMs = performance.now() - started;
  const { user, system } = process.cpuUsage(cpu);
  const each = `${((user + system) / count).toFixed(1)} µs CPU, ${((tookMs * 1000) / count).toFixed(1)} µs`;
  process.stdout.write(`${what.padEnd(32)} ${each} per record (${count} records)\n`);
}

void main();
