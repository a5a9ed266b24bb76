// Appends to an audit log until it is killed, and says after each record how many it was promised: `auditKill.test.ts`.
import { writeSync } from 'node:fs';
import { AuditLog } from '../../src/audit/auditLog.ts';
import { systemClock } from '../../src/core/clock.ts';

async function run(folder: string): Promise<void> {
  const log = await AuditLog.open({ folder, clock: systemClock });
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
