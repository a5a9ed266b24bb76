// The fixture server of both eras as a process: how to start it over stdio, and a running one over HTTP.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { root } from './command.ts';
import { until } from './until.ts';

const path = join(root, 'test/fixtures/bothEras.mjs');

/** The fixture over stdio, as a command line. */
export function bothErasCommand(...flags: string[]): string[] {
  return [process.execPath, path, '--stdio', ...flags];
}

export type HttpFixture = { url: string; port: number; child: ChildProcess };

/** Ended with the test. `port` 0: any. */
export async function startBothEras(flags: readonly string[] = [], port = 0): Promise<HttpFixture> {
  const child = spawn(process.execPath, [path, '--http', `${port}`, ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await once(child, 'close');
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const address = (): string | undefined => /listening (\S+)/.exec(said)?.[1];
  await until(
    () => address() !== undefined || child.exitCode !== null,
    20_000,
    () => `the fixture did not start: ${said}`,
  );
  const url = address();
  if (url === undefined) throw new Error(`the fixture ended: ${said}`);
  return { url, port: Number(new URL(url).port), child };
}
