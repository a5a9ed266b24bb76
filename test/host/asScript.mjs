// Lets a module be both imported and run: `node test/host/debian.mjs`. A failure is one line and exit code 1.
import { realpathSync } from 'node:fs';

/**
 * Runs `main` when the module of `meta` is the program that node was started with.
 * @param {ImportMeta} meta
 * @param {(args: string[]) => Promise<void>} main
 */
export async function asScript(meta, main) {
  const [, program, ...args] = process.argv;
  if (!program || realpathSync(program) !== meta.filename) return;
  try {
    await main(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
