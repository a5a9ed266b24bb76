// Programs of Debian's packages that a test runs: installed where that is allowed, else missed in one sentence.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const script = join(import.meta.dirname, '..', 'host', 'debian.mjs');

export async function debianPackages(...names: string[]): Promise<void> {
  await promisify(execFile)(process.execPath, [script, ...names]);
}
