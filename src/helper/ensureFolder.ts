// A private folder and those above it, made where they are missing. Node's own `mkdir` with `recursive` never returns where
// a folder cannot be made below one that is there, as in /proc: it goes up and down again for ever, and cannot be ended.
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '../core/errors.ts';

/** Throws the system's error. */
export async function ensureFolder(path: string): Promise<void> {
  if (await made(path)) return;
  const above = dirname(path);
  if (above === path) return;
  await ensureFolder(above);
  if (!(await made(path))) throw Object.assign(new Error(`${path} cannot be made`), { code: 'ENOENT' });
}

/** False where something above is missing. */
async function made(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST' && (await stat(path)).isDirectory()) return true;
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}
