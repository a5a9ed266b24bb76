// `npm run bench -- NAME`: bundles one benchmark with the source as it is and runs it in a process of its own.
// Figures are printed, never asserted: these are ratios and costs of this machine at this moment.
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const here = import.meta.dirname;
const names = (await readdir(here)).flatMap((file) => /^(\w+)\.bench\.ts$/.exec(file)?.[1] ?? []);
const [name] = process.argv.slice(2);
if (!names.includes(name)) {
  process.stderr.write(`name a benchmark: ${names.join(', ')}\n`);
  process.exit(2);
}
const folder = await mkdtemp(join(here, '..', '..', 'dist', 'bench-'));
try {
  const outfile = join(folder, 'bench.cjs');
  const options = { bundle: true, platform: 'node', format: 'cjs', mainFields: ['module', 'main'], logLevel: 'error' };
  await build({ ...options, entryPoints: [join(here, `${name}.bench.ts`)], outfile });
  process.exitCode = spawnSync(process.execPath, [outfile, ...process.argv.slice(3)], { stdio: 'inherit' }).status ?? 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
