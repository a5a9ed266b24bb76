// Prometheus' own opinion of a page of metrics.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { debianPackages } from './debianPackages.ts';

/** Everything that `promtool check metrics` has to say; empty when nothing is wrong. */
export async function promtoolSays(page: string): Promise<string> {
  await debianPackages('prometheus');
  const child = spawn('/usr/bin/promtool', ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end(page);
  const [out, err, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.once('close', resolve)),
  ]);
  return code === 0 ? out + err : `exit code ${code}: ${out}${err}`;
}

/** The samples of a page: `name{labels}` → value. */
export function samplesOf(page: string): Map<string, number> {
  const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}
