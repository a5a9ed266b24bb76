// A TypeScript file as one that plain Node runs, for tests that need several processes.
import { build } from 'esbuild';
import { join } from 'node:path';

/** The path of the bundle, made in `folder`. */
export async function bundle(entry: string, folder: string): Promise<string> {
  const outfile = join(folder, 'bundle.cjs');
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    mainFields: ['module', 'main'],
    logLevel: 'error',
  });
  return outfile;
}
