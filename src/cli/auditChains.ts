// What every `mcp-tunnel audit` command begins with: which chains there are, and which of them are meant.
import { listChains } from '../audit/chains.ts';
import { TunnelError } from '../core/errors.ts';
import type { CommandContext } from './command.ts';

/** Shortest beginning of an id that names it. */
const minPrefix = 4;

/** All chains, or the one whose id is, or alone begins with, `helper`. Throws `NOT_FOUND` when there is none. */
export async function chooseChains({ paths }: CommandContext, helper: string | undefined): Promise<string[]> {
  const all = await listChains(paths.auditFolder);
  if (helper === undefined) {
    if (all.length > 0) return all;
    throw new TunnelError('NOT_FOUND', `there is no audit log yet in ${paths.auditFolder}`);
  }
  if (all.includes(helper)) return [helper];
  const found = helper.length < minPrefix ? [] : all.filter((id) => id.startsWith(helper));
  if (found.length === 1) return found;
  if (found.length > 1) throw new TunnelError('USAGE', `“${helper}” is the beginning of several: ${found.join(', ')}`);
  const known = all.length === 0 ? '' : `; there are ${all.join(', ')}`;
  throw new TunnelError('NOT_FOUND', `there is no audit log “${helper}” in ${paths.auditFolder}${known}`);
}
