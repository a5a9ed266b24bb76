// `npm run bench -- NAME`: bundles one benchmark with the source as it is and runs it in a process of its own.
// Figures are printed, never asserted: these are ratios and costs of this machine at this moment.
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';

const here = import.meta.dirname;
const names = (await readdir(here)).flatMap((file) => /^(\w+)\.bench\.ts$/.exec(file)?.[1] ?? []);
const [name, ...rest] = process.argv.slice(2);
if (!names.includes(name)) {
  process.stderr.write(`name a benchmark: ${names.join(', ')}\n`);
  process.exit(2);
}
/**
 * What belongs to the figures of a benchmark and needs a process of another kind.
 * @type {{ bench: string, args: string[] }[]}
 */
const runs = [{ bench: name, args: rest }];
if (name === 'tunnel' && !rest.includes('--only')) runs.push({ bench: 'line', args: ['--only', 'slow', ...rest] });
const folder = await mkdtemp(join(tmpdir(), 'mcp-tunnel-bench-'));
try {
  const options = { bundle: true, platform: 'node', format: 'cjs', mainFields: ['module', 'main'], logLevel: 'error' };
  for (const { bench, args } of runs) {
    const outfile = join(folder, bench, 'bench.cjs');
    await build({ ...options, entryPoints: [join(here, `${bench}.bench.ts`)], outfile });
    process.exitCode = spawnSync(process.execPath, [outfile, ...args], { stdio: 'inherit' }).status ?? 1;
    if (process.exitCode !== 0) break;
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
