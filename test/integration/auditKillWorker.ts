// Appends to an audit log until it is killed, and says after each record how many it was promised: `auditKill.test.ts`.
import { writeSync } from 'node:fs';
import { openAuditLog } from '../../src/audit/openAuditLog.ts';
import { systemClock } from '../../src/core/clock.ts';
import { chainLocks } from '../../src/helper/chainLocks.ts';
import { privateFiles } from '../../src/helper/privateFiles.ts';

async function run(folder: string): Promise<void> {
  const log = await openAuditLog({
    folder: `${folder}/audit`,
    keyFiles: { private: `${folder}/key.pem`, public: `${folder}/key.pub.pem` },
    files: privateFiles,
    locks: chainLocks,
    helper: `helper-${process.pid}`,
    clock: systemClock,
  });
  let promised = 0;
  const append = async (): Promise<void> => {
    for (;;) {
      await log.append({ kind: 'outcome', exchange: 'x'.repeat(promised % 400), status: 'ok' });
      promised += 1;
      writeSync(1, `${promised}\n`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, append));
}

void run(process.argv[2] ?? '');
