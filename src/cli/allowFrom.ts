// `--allow-from`: whose addresses may reach a tunnel, as networks, autonomous systems, vendors, or files of networks.
import { networksInFile, parseAllowFrom } from '../core/admission.ts';
import { errorInfo, TunnelError } from '../core/errors.ts';
import { vendorNetworks } from '../core/vendorNetworks.ts';
import type { CommandContext, OptionRow } from './command.ts';
import { repeated } from './optionParsers.ts';
import { readText } from './secretText.ts';

/** Lets everybody in again, where a tunnel was narrowed before. */
const anyone = 'anyone';

export const allowFromOption: OptionRow = {
  flags: '--allow-from <who...>',
  help: `with --carrier edge: only these addresses may connect: a network (192.0.2.0/24), AS64500, ${vendors()}, @FILE with networks, or ${anyone}; kept with the tunnel`,
  parse: repeated,
};

/** `undefined` where nothing was said: then it is as it was last time. Throws `USAGE`, naming the entry or the file. */
export async function allowFromOf(
  context: CommandContext,
  given: readonly string[] | undefined,
): Promise<string[] | undefined> {
  if (given === undefined) return undefined;
  if (given.includes(anyone)) {
    if (given.length === 1) return [];
    throw new TunnelError('USAGE', `--allow-from ${anyone} stands alone`);
  }
  const entries: string[] = [];
  for (const entry of given) {
    if (entry.startsWith('@')) entries.push(...(await networksOf(context, entry.slice(1))));
    else entries.push(entry);
  }
  parseAllowFrom(entries); // So that a slip of the pen is told before anything is started.
  return entries;
}

async function networksOf(context: CommandContext, file: string): Promise<string[]> {
  const text = await readText(context, file);
  try {
    return networksInFile(text);
  } catch (cause) {
    throw new TunnelError('USAGE', `${file}: ${errorInfo(cause).message}`, { cause });
  }
}

/** `anthropic (as of 2026-11-21), …`: those whose addresses this version knows. */
function vendors(): string {
  const known = vendorNetworks.filter((vendor) => 'networks' in vendor);
  return known.map(({ name, readOn }) => `${name} (as published on ${readOn})`).join(', ');
}
