// One of several processes on the same files: `privateFiles.test.ts` starts and kills them.
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '../../src/core/clock.ts';
import { errorInfo } from '../../src/core/errors.ts';
import { EdgeState } from '../../src/edge/edgeState.ts';
import { PrivateFileStore } from '../../src/helper/privateFiles.ts';

const files = new PrivateFileStore();
const say = (line: string): unknown => process.stdout.write(`${line}\n`);

const acts: Record<string, (path: string, argument: string) => Promise<void>> = {
  /** Adds one as often as told, and says so after each. */
  async count(path, times) {
    for (let done = 0; done < Number(times); done++) {
      await files.update(path, (old) => JSON.stringify({ count: oldCount(old) + 1, padding: 'x'.repeat(5000) }));
      say('counted');
    }
  },
  async hold(path) {
    await files.update(path, async () => {
      say('held');
      await wait(600_000);
      return '';
    });
  },
  async spend(folder, token) {
    const state = await EdgeState.load({ files, folder, domain: 'edge.example.com', clock: systemClock });
    const { connector } = await state.spendToken(token);
    say(`spent ${connector}`);
    await wait(600_000);
  },
};

function oldCount(text: string | undefined): number {
  return text === undefined ? 0 : (JSON.parse(text) as { count: number }).count;
}

const [, , act = '', path = '', argument = ''] = process.argv;
acts[act]?.(path, argument).catch((error: unknown) => say(`failed ${errorInfo(error).code}`));
