import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { EdgeState } from '../../src/edge/edgeState.ts';
import { PrivateFileStore } from '../../src/helper/privateFiles.ts';
import { bundle } from '../support/bundle.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const files = new PrivateFileStore();
let buildFolder: string;
let worker: string;

beforeAll(async () => {
  buildFolder = await mkdtemp(join(tmpdir(), 'mcp-tunnel-test-'));
  worker = await bundle(fileURLToPath(new URL('./privateFilesWorker.ts', import.meta.url)), buildFolder);
});
afterAll(() => rm(buildFolder, { recursive: true, force: true }));

/** A process whose lines are collected; `line` resolves with the next one. */
function start(...args: string[]): {
  child: ChildProcess;
  lines: string[];
  line: Promise<string>;
  exited: Promise<unknown>;
} {
  const child = spawn(process.execPath, [worker, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'close');
  onTestFinished(() => {
    child.kill('SIGKILL');
    return exited.then(() => {});
  });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (text) => lines.push(text));
  const line = once(reader, 'line').then(([text]) => String(text));
  return { child, lines, line, exited };
}

const countIn = async (path: string): Promise<number> =>
  (JSON.parse((await files.read(path)) ?? '{"count":0}') as { count: number }).count;

describe('private files of several processes', () => {
  it('lose no change when five processes change one file at once', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'count.json');
    const processes = Array.from({ length: 5 }, () => start('count', path, '20'));
    await Promise.all(processes.map(({ exited }) => exited));
    expect(processes.map(({ lines }) => lines.length)).toEqual([20, 20, 20, 20, 20]);
    expect(await countIn(path)).toBe(100);
    expect(await readdir(folder)).toEqual(['count.json']);
  });

  it('go on at once when the holder of the lock is killed', async () => {
    const path = join(await temporaryFolder(), 'count.json');
    await files.write(path, '{"count":7}');
    const holder = start('hold', path);
    expect(await holder.line).toBe('held');
    holder.child.kill('SIGKILL');
    await holder.exited;

    const next = start('count', path, '1');
    expect(await next.line).toBe('counted');
    expect(await countIn(path)).toBe(8);
  });

  it('stay whole, with every acknowledged change in them, when processes are killed at any moment', async () => {
    const path = join(await temporaryFolder(), 'count.json');
    let acknowledged = 0;
    const kills = 8;
    for (let kill = 0; kill < kills; kill++) {
      const [one, two] = [start('count', path, '1000'), start('count', path, '1000')];
      await Promise.all([one.line, two.line]);
      one.child.kill('SIGKILL');
      await new Promise((resolve) => setImmediate(resolve));
      two.child.kill('SIGKILL');
      await Promise.all([one.exited, two.exited]);
      acknowledged += one.lines.length + two.lines.length;
      const count = await countIn(path);
      // A change may be on disk whose acknowledgement was cut off: one for each killed process.
      expect(count).toBeGreaterThanOrEqual(acknowledged);
      expect(count).toBeLessThanOrEqual(acknowledged + 2 * (kill + 1));
    }
  });
});

describe('an enrolment token', () => {
  it('is spent by one of five processes that try at once, and stays spent when that one is killed', async () => {
    const folder = await temporaryFolder();
    const state = await EdgeState.load({ files, folder, domain: 'edge.example.com', clock: systemClock });
    const { token } = await state.mintToken();
    const processes = Array.from({ length: 5 }, () => start('spend', folder, token));
    const answers = await Promise.all(processes.map(({ line }) => line));
    expect(answers.filter((answer) => answer.startsWith('spent '))).toHaveLength(1);
    expect(answers.filter((answer) => answer === 'failed ENROLMENT_REFUSED')).toHaveLength(4);

    for (const { child } of processes) child.kill('SIGKILL');
    await Promise.all(processes.map(({ exited }) => exited));
    expect(await start('spend', folder, token).line).toBe('failed ENROLMENT_REFUSED');
    await state.refresh();
    expect(state.connectors().map(({ id }) => `spent ${id}`)).toEqual(answers.filter((a) => a.startsWith('spent ')));
  });
});
